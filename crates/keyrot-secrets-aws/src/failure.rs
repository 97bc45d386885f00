//! What went wrong, told apart: each case has its own words and its own remedy.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use keyrot_core::{SecretError, untrusted};

use crate::name;
use crate::settings::STORE;

/// The most that is repeated of what somebody else said.
const MOST: usize = 200;

/// What was asked, of whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The action's name in IAM, behind `secretsmanager:`.
    pub(crate) action: &'static str,
    pub(crate) name: &'a str,
    pub(crate) region: &'a str,
    /// The server, for messages.
    pub(crate) place: &'a str,
}

/// What the service said instead of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal<'a> {
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// That of HTTP; 0 where there was none for this secret alone.
    pub(crate) status: u16,
}

impl Refusal<'_> {
    /// The same failure, if the service has given one.
    pub(crate) fn of<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<Refusal<'_>> {
        let SdkError::ServiceError(context) = error else { return None };
        Some(Refusal {
            code: context.err().code().unwrap_or_default(),
            message: context.err().message().unwrap_or_default(),
            status: context.raw().status().as_u16(),
        })
    }

    /// Whether the caller may not do this at all.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self.code, "AccessDenied" | "AccessDeniedException")
    }

    /// Whether the server has no such action, as older stand-ins of the service.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.code, "UnknownOperationException" | "InvalidAction" | "NotImplemented")
    }

    /// Whether it is about one secret, although several were asked for.
    pub(crate) fn is_about_one(&self) -> bool {
        matches!(
            self.code,
            "ResourceNotFoundException"
                | "InvalidRequestException"
                | "InvalidParameterException"
                | "ValidationException"
                | "DecryptionFailure"
        )
    }

    /// Whether the secret exists and nothing was put into it yet.
    pub(crate) fn is_without_value(&self) -> bool {
        self.code == "ResourceNotFoundException" && self.message.contains("staging label")
    }

    fn said(&self) -> String {
        match said(self.message) {
            message if message.is_empty() => format!("`{}` (HTTP {})", said(self.code), self.status),
            message => format!("`{}`: {message}", said(self.code)),
        }
    }

    /// What it means for who asked.
    pub(crate) fn error(&self, asked: &Asked<'_>) -> SecretError {
        let Asked { action, name, region, place } = asked;
        match self.code {
            "ResourceNotFoundException" => not_found(asked, self),
            "InvalidRequestException" if self.message.contains("delet") => SecretError::NotFound {
                store: STORE,
                name: (*name).to_owned(),
                hint: format!(
                    "it is marked for deletion; `aws secretsmanager restore-secret --region {region} --secret-id \
                     {name}` brings it back"
                ),
            },
            "InvalidParameterException" | "ValidationException" => SecretError::Misconfigured {
                store: STORE,
                why: format!("the service does not take `{name}`: {}", self.said()),
                hint: "see `AWS_SECRET_PREFIX`, or `secret` of the key in keys.json".to_owned(),
            },
            "DecryptionFailure" | "EncryptionFailure" => denied(
                format!("the KMS key of `{name}` cannot be used: {}", self.said()),
                kms(action),
            ),
            _ if self.is_denied() && self.message.contains("KMS") => {
                denied(format!("no right to the KMS key of `{name}`: {}", self.said()), kms(action))
            }
            _ if self.is_denied() => denied(
                format!("no right to `{name}`: {}", self.said()),
                format!(
                    "allow `secretsmanager:{action}` on it, in the policy of who is logged in and in that of the \
                     secret; `aws sts get-caller-identity` tells who that is"
                ),
            ),
            "ExpiredTokenException" | "ExpiredToken" => denied(
                format!("the credentials have expired: {}", self.said()),
                "log in again, with `aws sso login` say, or put fresh credentials where these came from".to_owned(),
            ),
            "RequestExpired" | "RequestTimeTooSkewed" => denied(
                format!("the request's time is not the service's: {}", self.said()),
                "set this machine's clock".to_owned(),
            ),
            "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => denied(
                format!("the login failed: {}", self.said()),
                "`AWS_SECRET_ACCESS_KEY` does not belong to `AWS_ACCESS_KEY_ID`, or this machine's clock is wrong"
                    .to_owned(),
            ),
            "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId"
            | "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => denied(
                format!("the login failed: {}", self.said()),
                "`AWS_ACCESS_KEY_ID` is not known there, or `AWS_SESSION_TOKEN` is missing or of another login"
                    .to_owned(),
            ),
            "OptInRequired" | "SubscriptionRequiredException" => denied(
                format!("the account is not set up for it: {}", self.said()),
                format!("enable the region `{region}` for the account"),
            ),
            code if is_throttling(code) || self.status == 429 => unavailable(
                format!("too many requests: {}", self.said()),
                "it is asked again later; a longer `KEYROT_SECRET_TTL` asks less".to_owned(),
            ),
            _ if self.is_unknown() => SecretError::Misconfigured {
                store: STORE,
                why: format!("{place} does not know `{action}`: {}", self.said()),
                hint: "see `AWS_ENDPOINT_URL`: it must lead to Secrets Manager".to_owned(),
            },
            "InternalServiceError" | "InternalServiceErrorException" | "InternalFailure" | "ServiceUnavailable" => {
                failing(place, self)
            }
            _ if self.status >= 500 => failing(place, self),
            "" => garbage(place),
            _ => denied(
                format!("{} for `{name}`", self.said()),
                format!("`aws secretsmanager describe-secret --region {region} --secret-id {name}` tells its state"),
            ),
        }
    }
}

/// What a failed call means for who asked.
pub(crate) fn error<E: ProvideErrorMetadata>(error: &SdkError<E>, asked: &Asked<'_>) -> SecretError {
    match error {
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(source) => not_sent(source, asked.place),
            None => garbage(asked.place),
        },
        SdkError::TimeoutError(_) => no_answer(asked.place),
        SdkError::ConstructionFailure(_) => SecretError::Misconfigured {
            store: STORE,
            why: format!("no request can be made for {}", asked.place),
            hint: "see `AWS_REGION` and `AWS_ENDPOINT_URL`".to_owned(),
        },
        SdkError::ServiceError(_) => {
            Refusal::of(error).map_or_else(|| garbage(asked.place), |refusal| refusal.error(asked))
        }
        _ => garbage(asked.place),
    }
}

/// Nobody answered in time.
pub(crate) fn no_answer(place: &str) -> SecretError {
    unavailable(
        format!("{place} did not answer in time"),
        "is it under heavy load, or does a firewall swallow what is sent to it?".to_owned(),
    )
}

fn not_found(asked: &Asked<'_>, refusal: &Refusal<'_>) -> SecretError {
    let Asked { action: _, name, region, place: _ } = asked;
    let hint = match name::region(name) {
        Some(other) if other != *region => {
            format!("this ARN is of region `{other}`, and `{region}` was asked: set `AWS_REGION={other}`")
        }
        _ if refusal.is_without_value() => format!(
            "it exists, and no version of it is current; `aws secretsmanager put-secret-value --region {region} \
             --secret-id {name} --secret-string file:///dev/stdin` gives it one"
        ),
        None => format!(
            "it was looked for in region `{region}`; `aws secretsmanager create-secret --region {region} --name \
             {name} --secret-string file:///dev/stdin` creates it"
        ),
        Some(_) => "see `secret` of the key in keys.json".to_owned(),
    };
    SecretError::NotFound { store: STORE, name: (*name).to_owned(), hint }
}

fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "RequestThrottledException"
            | "SlowDown"
    )
}

fn kms(action: &str) -> String {
    if action == "PutSecretValue" {
        "allow `kms:GenerateDataKey` and `kms:Decrypt` on the secret's KMS key, and see that the key is enabled"
    } else {
        "allow `kms:Decrypt` on the secret's KMS key, and see that the key is enabled"
    }
    .to_owned()
}

/// Nothing was sent, or nothing came back.
fn not_sent(source: &ConnectorError, place: &str) -> SecretError {
    if let Some(credentials) = find::<CredentialsError>(source) {
        return no_credentials(credentials);
    }
    if source.is_timeout() {
        return no_answer(place);
    }
    let why = said(&deepest(source).to_string());
    if source.is_other() && !source.is_io() {
        // What fails before anything is sent, and is not about credentials, is that they were waited for.
        return unavailable(
            format!("no credentials in time: {why}"),
            "is the metadata service, or what the profile logs in at, reachable? Without either, set \
             `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, and `AWS_EC2_METADATA_DISABLED=true`"
                .to_owned(),
        );
    }
    unavailable(
        format!("{place} cannot be reached: {why}"),
        "see the network, `AWS_REGION`, `AWS_ENDPOINT_URL` and `HTTPS_PROXY`; `SSL_CERT_FILE` names further \
         authorities"
            .to_owned(),
    )
}

fn no_credentials(error: &CredentialsError) -> SecretError {
    let why = said(&deepest(error).to_string());
    match error {
        CredentialsError::CredentialsNotLoaded(_) => SecretError::Misconfigured {
            store: STORE,
            why: "there are no AWS credentials".to_owned(),
            hint: "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `AWS_PROFILE` after `aws configure`, or \
                   give the machine, container or pod a role"
                .to_owned(),
        },
        CredentialsError::ProviderTimedOut(_) => {
            unavailable(format!("no credentials in time: {why}"), "see what the profile logs in at".to_owned())
        }
        CredentialsError::InvalidConfiguration(_) => SecretError::Misconfigured {
            store: STORE,
            why: format!("the AWS credentials are not set up rightly: {why}"),
            hint: "see `AWS_PROFILE`, ~/.aws/config and ~/.aws/credentials".to_owned(),
        },
        _ => denied(
            format!("no AWS credentials were given out: {why}"),
            "log in again, with `aws sso login` say; `aws sts get-caller-identity` tells whether it worked".to_owned(),
        ),
    }
}

fn failing(place: &str, refusal: &Refusal<'_>) -> SecretError {
    unavailable(
        format!("{place} fails: {}", refusal.said()),
        "it is asked again later; https://health.aws.amazon.com tells of outages".to_owned(),
    )
}

fn garbage(place: &str) -> SecretError {
    unavailable(
        format!("{place} answers something else than Secrets Manager does"),
        "does a proxy or `AWS_ENDPOINT_URL` lead elsewhere?".to_owned(),
    )
}

fn denied(why: String, hint: String) -> SecretError {
    SecretError::Denied { store: STORE, why, hint }
}

fn unavailable(why: String, hint: String) -> SecretError {
    SecretError::Unavailable { store: STORE, why, hint }
}

/// A line of what somebody else said, without anything that looks like a key.
fn said(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    untrusted::redact(&line).trim().chars().take(MOST).collect()
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn deepest<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest
}
