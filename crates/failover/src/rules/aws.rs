//! Amazon Bedrock: modelled exceptions and the common errors of AWS.
//!
//! Exception names arrive bare, behind a namespace and `#`, or with a URL behind `:`; the index takes the name out.

use super::{outcome::*, vendor_rules};
use crate::verdict::Scope;

vendor_rules! {
    RULES: Bedrock "bedrock"
    from "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html" {
        broad "AccessDeniedException" => AUTH;
        exact "InternalServerException" => SERVER_ERROR;
        exact "ModelErrorException" => SERVER_ERROR.on(Scope::Model);
        exact "ModelStreamErrorException" => SERVER_ERROR.on(Scope::Model);
        exact "ModelNotReadyException" => OVERLOADED;
        exact "ModelTimeoutException" => TIMEOUT.on(Scope::Model);
        broad "ResourceNotFoundException" => MODEL_NOT_FOUND;
        exact "ServiceQuotaExceededException" => RATE_LIMIT;
        exact "ServiceUnavailableException" => OVERLOADED.on(Scope::Provider);
        broad "ThrottlingException" => RATE_LIMIT.on(Scope::Model);
        broad "ConflictException" => FORMAT;
        weak "ValidationException" => FORMAT;
    }
    from "https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html" {
        exact "BadCScoreException" => AUTH_PERMANENT;
        exact "FTUFormNotFilled" => AUTH.on(Scope::Model);
        exact "IncompleteSignature" => AUTH;
        exact "InternalFailure" => SERVER_ERROR;
        exact "InvalidAction" => FORMAT;
        exact "InvalidClientTokenId" => AUTH;
        exact "MPAgreementBeingCreated" => AUTH.on(Scope::Model);
        exact "NotAuthorized" => AUTH;
        exact "OptInRequired" => AUTH_PERMANENT;
        exact "RequestExpired" => AUTH;
        exact "ServiceUnavailable" => OVERLOADED.on(Scope::Provider);
        weak "ValidationError" => FORMAT;
    }
    from "https://docs.aws.amazon.com/awssupport/latest/APIReference/CommonErrors.html" {
        exact "AccessDenied" => AUTH;
        exact "ExpiredTokenException" => AUTH;
        exact "ExpiredToken" => AUTH;
        exact "InvalidSignatureException" => AUTH;
        exact "SignatureDoesNotMatch" => AUTH;
        exact "MissingAuthenticationToken" => AUTH;
        exact "MissingAuthenticationTokenException" => AUTH;
        exact "UnrecognizedClientException" => AUTH;
        exact "RequestTimeTooSkewed" => AUTH;
        exact "MalformedQueryString" => FORMAT;
        exact "MalformedHttpRequestException" => FORMAT;
        exact "SerializationException" => FORMAT;
        exact "RequestAbortedException" => TIMEOUT;
        exact "RequestTimeoutException" => TIMEOUT;
        exact "RequestTimeout" => TIMEOUT;
        exact "RequestLimitExceeded" => RATE_LIMIT;
        exact "TooManyRequestsException" => RATE_LIMIT;
        exact "ThrottledException" => RATE_LIMIT;
        exact "Throttling" => RATE_LIMIT;
        exact "RequestEntityTooLargeException" => TOO_LARGE;
    }
}
