//! What a rotator must know of our calls: how a failure is judged, how a stream goes.

use keyrot_core::call::{Judged, StreamPart};
use keyrot_core::{Outcome, Usage};

use crate::error::Error;
use crate::wire::GenerateResponse;

impl Judged for Error {
    fn outcome(&self) -> Outcome {
        Self::outcome(self)
    }
}

impl StreamPart for GenerateResponse {
    fn has_content(&self) -> bool {
        self.parts().next().is_some()
    }

    fn finishes(&self) -> bool {
        self.finish_reason().is_some() || self.block_reason().is_some()
    }

    fn usage(&self) -> Usage {
        Self::usage(self)
    }
}
