//! Several secrets in one call, each answer under the name it was asked for by.

use aws_sdk_secretsmanager::operation::batch_get_secret_value::BatchGetSecretValueOutput;
use aws_sdk_secretsmanager::types::ApiErrorType;
use keyrot_core::{Secret, SecretError};

use crate::failure::{Asked, Refusal};
use crate::found::Found;
use crate::name;

/// The most the service takes at once.
pub(crate) const MOST: usize = 20;

/// What one call said of `asked`. `None` where it said nothing that is sure: of a secret without a current
/// version in the answer, or of one left out of it.
pub(crate) fn answers<'a>(
    output: BatchGetSecretValueOutput,
    names: &[&'a str],
    asked: impl Fn(&'a str) -> Asked<'a>,
) -> Vec<Option<Result<Secret, SecretError>>> {
    let found: Vec<Found> = output.secret_values.unwrap_or_default().into_iter().map(Found::from).collect();
    let errors = output.errors.unwrap_or_default();
    names
        .iter()
        .map(|name| {
            if let Some(found) = found.iter().find(|found| found.is(name)) {
                return found.is_current().then(|| found.secret(name));
            }
            let error = error_of(&errors, name)?;
            let code = error.error_code().unwrap_or_default();
            let refusal = Refusal { code, message: error.message().unwrap_or_default(), status: 0 };
            (!code.is_empty()).then(|| Err(refusal.error(&asked(name))))
        })
        .collect()
}

/// The error about `name`. The service repeats what it was asked, or gives the other of name and ARN.
fn error_of<'a>(errors: &'a [ApiErrorType], name: &str) -> Option<&'a ApiErrorType> {
    let is = |of: &dyn Fn(&str) -> bool| errors.iter().find(|error| error.secret_id().is_some_and(of));
    is(&|told| told == name).or_else(|| is(&|told| name::means(name, told)))
}
