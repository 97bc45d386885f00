//! What is asked of the server. Most requests are `vaultrs`' own; here are those it lacks, and those whose own
//! form would copy a secret.

use rustify::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use rustify::errors::ClientError;
use secrecy::zeroize::Zeroizing;

/// Which mount a path is of, and of which version: the question the `vault` and `bao` programs ask.
pub(crate) struct WhichMount<'a>(pub(crate) &'a str);

impl Endpoint for WhichMount<'_> {
    type Response = ();
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        format!("sys/internal/ui/mounts/{}", self.0)
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::GET
    }
}

/// Writes a body as it stands. `vaultrs` takes a tree of values, which would round numbers and leave copies.
pub(crate) struct Write {
    pub(crate) path: String,
    pub(crate) body: Zeroizing<String>,
}

impl Endpoint for Write {
    type Response = ();
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.path.clone()
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::POST
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(Some(self.body.as_bytes().to_vec()))
    }
}
