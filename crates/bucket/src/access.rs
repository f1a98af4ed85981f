//! [`AccessError`]: why a store refuses every request, in one sentence.

use std::{error::Error as StdError, fmt};

use storage_driver::ErrorKind;

/// Why a store refuses a client: what has to be corrected in the configuration, or on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessCause {
    /// There is no such bucket or container.
    #[error("the bucket does not exist; create it, or correct its name or the endpoint")]
    NoBucket,
    /// The bucket is in another region.
    #[error("the region is wrong; set the region of the bucket")]
    WrongRegion,
    /// No credentials are configured, and this machine has none of a cloud.
    #[error(
        "no credentials were found; set them in the environment, for example AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials,
    /// The store does not know the access key.
    #[error("the store does not know the access key")]
    UnknownKey,
    /// The signature of the request is wrong.
    #[error("the secret key is wrong")]
    WrongSecret,
    /// The credentials are valid and do not allow the request.
    #[error(
        "the credentials do not allow this request; grant the right to read, write, list and delete"
    )]
    NoPermission,
    /// The credentials were temporary.
    #[error("the session token has expired or is not valid")]
    ExpiredToken,
    /// The store takes a request as too old or as from the future.
    #[error(
        "the clocks of this machine and of the store differ too much; set this machine's clock"
    )]
    ClockSkew,
}

/// An [`AccessCause`], and what the store said. The source of an error with the kind
/// [`PermissionDenied`](ErrorKind::PermissionDenied), or [`Unavailable`](ErrorKind::Unavailable) if the bucket or the
/// region is wrong. It has nothing in it that is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessError {
    cause: AccessCause,
    said: String,
}

impl AccessError {
    /// What has to be corrected.
    pub fn cause(&self) -> AccessCause {
        self.cause
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match self.cause {
            AccessCause::NoBucket | AccessCause::WrongRegion => ErrorKind::Unavailable,
            _ => ErrorKind::PermissionDenied,
        }
    }

    /// What an error of the engine says about access. The engine's own type for a response is private; its text
    /// has the body of the response, with a code that all stores share or that is unique.
    pub(crate) fn of(error: &object_store::Error) -> Option<Self> {
        let mut source: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = source {
            if let Some(found) = Self::read(&cause.to_string()) {
                return Some(found);
            }
            source = cause.source();
        }
        None
    }

    fn read(text: &str) -> Option<Self> {
        let request = element(text, "Error performing ", " ").unwrap_or("the request");
        if text.contains("//169.254.169.254") {
            // The metadata service of a cloud, which is asked last.
            let said = format!("{request}: the metadata service did not respond");
            return Some(Self { cause: AccessCause::NoCredentials, said });
        }
        if text.contains("incorrectly configured region") {
            let said = format!("{request}: a redirection without a location");
            return Some(Self { cause: AccessCause::WrongRegion, said });
        }
        let code = element(text, "<Code>", "</Code>")?;
        let detail = element(text, "<AuthenticationErrorDetail>", "<").unwrap_or_default();
        let message = element(text, "<Message>", "</Message>").unwrap_or_default();
        let cause = match code {
            "NoSuchBucket" | "ContainerNotFound" => AccessCause::NoBucket,
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "InvalidRegion" => {
                AccessCause::WrongRegion
            }
            "InvalidAccessKeyId" => AccessCause::UnknownKey,
            "AuthenticationFailed" if detail.contains("date") => AccessCause::ClockSkew,
            "SignatureDoesNotMatch" | "AuthenticationFailed" => AccessCause::WrongSecret,
            // Azurite.
            "AuthorizationFailure" if message.contains("signature") => AccessCause::WrongSecret,
            "AccessDenied"
            | "AllAccessDisabled"
            | "AuthorizationFailure"
            | "AuthorizationPermissionMismatch"
            | "InsufficientAccountPermissions" => AccessCause::NoPermission,
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => AccessCause::ExpiredToken,
            "RequestTimeTooSkewed" => AccessCause::ClockSkew,
            _ => return None,
        };
        // The body as a whole repeats the request, a session token included.
        let message = message.lines().next().unwrap_or_default();
        Some(Self { cause, said: format!("{request}: {code}: {message}") })
    }
}

fn element<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    rest.find(end).map(|end| &rest[..end])
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.cause, self.said)
    }
}

impl StdError for AccessError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> AccessError {
        let source = Box::from(text.to_owned());
        AccessError::of(&object_store::Error::Generic { store: "S3", source }).unwrap()
    }

    #[test]
    fn the_region_that_the_store_expects_is_repeated() {
        let error = read(
            "Error performing PUT https://s3/b/k in 1ms - Server returned non-2xx status code: 400 Bad Request: \
             <Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; expecting \
             'eu-west-1'</Message><Region>eu-west-1</Region></Error>",
        );
        assert_eq!(error.cause(), AccessCause::WrongRegion);
        assert!(
            error.to_string().contains("PUT") && error.to_string().contains("'eu-west-1'"),
            "{error}"
        );
    }

    #[test]
    fn the_request_that_the_store_repeats_is_left_out() {
        let error = read(
            "<Error><Code>SignatureDoesNotMatch</Code><Message>no match</Message>\
             <CanonicalRequest>x-amz-security-token:SECRET</CanonicalRequest></Error>",
        );
        assert_eq!(error.cause(), AccessCause::WrongSecret);
        assert!(!format!("{error} {error:?}").contains("SECRET"));
    }

    #[test]
    fn an_old_date_is_no_wrong_key_on_azure() {
        let failed = |detail: &str| {
            read(&format!(
                "<Error><Code>AuthenticationFailed</Code><Message>failed\nRequestId:1</Message>\
                 <AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
            ))
        };
        assert_eq!(failed("Request date header too old").cause(), AccessCause::ClockSkew);
        let wrong = failed("The MAC signature is not the same as any computed one");
        assert_eq!(wrong.cause(), AccessCause::WrongSecret);
        assert!(!wrong.to_string().contains("RequestId"), "{wrong}");
    }

    #[test]
    fn a_machine_outside_of_a_cloud_has_no_credentials() {
        let error =
            read("Error performing PUT http://169.254.169.254/latest/api/token in 5s - timed out");
        assert_eq!(error.cause(), AccessCause::NoCredentials);
    }
}
