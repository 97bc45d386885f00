//! Facts beside the counters.

use std::time::Duration;

use keyrot_core::{Fact, FactStore, LimitError};
use redis::Value;

use super::RedisStore;
use super::coding::{Answer, Blob, count, millis};
use super::link::{Again, senseless};
use super::script::SCRIPTS;

/// A fact as it is kept: when it was written, when it is gone, its value.
fn fact(bytes: &[u8]) -> Result<Fact, LimitError> {
    let mut answer = Answer::new(bytes);
    let (at, _) = (answer.instant()?, answer.number()?);
    Ok(Fact { value: text(answer.rest())?, at })
}

fn text(bytes: &[u8]) -> Result<String, LimitError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| senseless())
}

impl FactStore for RedisStore {
    async fn get(&self, name: &str) -> Result<Option<Fact>, LimitError> {
        let args = [name.as_bytes().to_vec()];
        match self.call(&SCRIPTS.fact_get, args, Again::Yes).await?.0 {
            Value::Nil => Ok(None),
            // One that is damaged is none.
            Value::BulkString(bytes) => Ok(fact(&bytes).ok()),
            _ => Err(senseless()),
        }
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        let life = Blob::new().number(ttl.map_or(f64::INFINITY, millis)).done();
        let args = [name.as_bytes().to_vec(), life, value.as_bytes().to_vec()];
        self.call(&SCRIPTS.fact_put, args, Again::Yes).await.map(drop)
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        let args = [prefix.as_bytes().to_vec()];
        let answer = self.call(&SCRIPTS.fact_scan, args, Again::Yes).await?.0;
        let Value::Array(pairs) = answer else { return Err(senseless()) };
        let (pairs, []) = pairs.as_chunks::<2>() else { return Err(senseless()) };
        let facts = pairs.iter().map(|pair| match pair {
            // One that is damaged hides no other.
            [Value::BulkString(name), Value::BulkString(bytes)] => {
                Ok(text(name).and_then(|name| Ok((name, fact(bytes)?))).ok())
            }
            _ => Err(senseless()),
        });
        facts.filter_map(Result::transpose).collect()
    }

    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        let args = [name.as_bytes().to_vec(), Blob::new().number(count(by)).done()];
        match self.call(&SCRIPTS.fact_add, args, Again::No).await?.0 {
            Value::BulkString(bytes) => text(&bytes)?.parse().map_err(|_| senseless()),
            _ => Err(senseless()),
        }
    }
}
