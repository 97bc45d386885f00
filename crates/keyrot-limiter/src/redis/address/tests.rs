//! What `REDIS_URL` may say, and that no error repeats it.

use super::*;

const CANARY: &str = "c4n4ry-pa55word";

fn read(url: &str) -> Result<Address, RedisConfigError> {
    Address::read(&SecretString::from(url.to_owned()), Duration::from_secs(1))
}

#[test]
fn every_kind_of_server_has_its_url() {
    for url in [
        "redis://127.0.0.1",
        " redis://127.0.0.1:6380/2 ",
        "rediss://user:pass%2Fword@redis.example:6380/0",
        "redis://:pass@[::1]:6379?protocol=resp3",
        "valkey://host",
        "unix:///run/redis.sock",
    ] {
        assert!(matches!(read(url), Ok(Address::One(_))), "{url}");
    }
    for url in ["redis+cluster://a:7000,b:7001,c", "rediss+cluster://user:pass@a,b"] {
        assert!(matches!(read(url), Ok(Address::Cluster(_))), "{url}");
    }
    for url in ["redis+sentinel://a:26379,b:26379/mymaster", "rediss+sentinel://user:pass@a/mymaster/3"] {
        assert!(matches!(read(url), Ok(Address::Sentinel(_))), "{url}");
    }
}

#[test]
fn what_cannot_be_used_is_named_without_a_word_of_the_url() {
    for url in [
        "",
        "localhost:6379",
        "http://user:c4n4ry-pa55word@host",
        "redis://user:c4n4ry-pa55word@host:port",
        "redis://user:c4n4ry-pa55word@host/notanumber-c4n4ry-pa55word",
        "redis://user:c4n4ry-pa55word@",
        "redis://user:c4n4ry-pa55word@a,b",
        "redis://user:c4n4ry-pa55word@0.0.0.0",
        "redis://user:c4n4ry-pa55word@host?protocol=c4n4ry-pa55word",
        "rediss://user:c4n4ry-pa55word@host#c4n4ry-pa55word",
        "redis+sentinel://user:c4n4ry-pa55word@host",
        "redis+sentinel://user:c4n4ry-pa55word@host/name/c4n4ry-pa55word",
        "redis+cluster://user:c4n4ry-pa55word@a,b:x",
        "redis+else://user:c4n4ry-pa55word@a",
        "redis://user:c4n4ry%FFpa55word@host",
    ] {
        let error = read(url).err().unwrap_or_else(|| panic!("{url} was taken"));
        let text = format!("{error} {error:?}");
        assert!(text.contains("REDIS_URL") || format!("{error}").contains("`REDIS_URL`"), "{text}");
        assert!(!text.contains(CANARY) && !text.contains("c4n4ry"), "{text}");
    }
}

#[test]
fn no_part_of_a_url_brings_a_line_of_its_own() {
    for url in [
        "redis://user:%0d%0aSET c4n4ry 1%0d%0a@127.0.0.1/0",
        "redis://c4n4ry%0A:x@host",
        "redis://:c4n4ry\n@host",
        "redis://:c4n4ry%1b@host",
        "redis://:c4n4ry%7F@host",
        "redis+cluster://:c4n4ry%00@a,b",
        "redis+sentinel://a/c4n4ry%0aname",
        "unix:///run/c4n4ry%0a.sock",
        "unix:///run/redis.sock?pass=c4n4ry%0d%0a",
    ] {
        let error = read(url).err().unwrap_or_else(|| panic!("{url} was taken")).to_string();
        assert!(error.contains("holds a control character") && !error.contains("c4n4ry"), "{error}");
    }
}
