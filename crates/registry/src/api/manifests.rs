//! Manifests: GET, HEAD, PUT, DELETE.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{
    accept::Accept,
    conditions,
    error::{Code, Error, Result},
    responses::{CONTENT_DIGEST, empty, entity_tag, spawn_to_completion},
    service::Call,
};
use crate::{
    access::Action,
    name::{Name, ParseReferenceError, Reference, Tag},
    store::Pull,
};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// How many tags one push may set.
const MAX_TAGS: usize = 100;

pub(super) async fn pull(call: Call, name: Name, reference: &str) -> Result<Response> {
    call.admit(&name, Action::Pull).await?;
    let reference = existing(reference)?;
    let conditions = conditions::of(call.headers())?;
    let store = &call.api.store;
    let accept = Accept::of(call.headers());
    let pull = match call.parts.method {
        Method::HEAD => Pull::Head,
        _ => Pull::Content,
    };
    let served = store.manifest(&name, &reference, pull, |it| accept.accepts(it)).await?;
    let described =
        [(CONTENT_DIGEST, served.digest.to_string()), (header::ETAG, entity_tag(&served.digest))];
    if conditions.is_not_modified(&served.digest)? {
        return Ok(empty(StatusCode::NOT_MODIFIED, described));
    }
    let content = [
        (header::CONTENT_TYPE, served.media_type),
        (header::CONTENT_LENGTH, served.size.to_string()),
    ];
    let body = match (pull, served.content) {
        (Pull::Head, _) => Body::empty(),
        (_, Some(content)) => Body::from(content),
        (_, None) => Body::from_stream(store.manifest_reader(&served.digest).await?),
    };
    Ok((StatusCode::OK, described, content, body).into_response())
}

pub(super) async fn push(call: Call, name: Name, reference: &str, body: Body) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    call.api.writable()?;
    let reference = Reference::parse(reference)?;
    let mut tags: Vec<Tag> = call.query().all("tag").map(Tag::parse).collect::<Result<_, _>>()?;
    let by_query = tags.iter().map(Tag::to_string).collect::<Vec<_>>().join(", ");
    match &reference {
        Reference::Tag(tag) => tags = vec![tag.clone()],
        Reference::Digest(_) if tags.len() > MAX_TAGS => {
            let text = format_args!("more than {MAX_TAGS} tags").to_string();
            return Err(Error::new(Code::ManifestInvalid, text).status(StatusCode::URI_TOO_LONG));
        }
        Reference::Digest(_) => {}
    }
    let content_type = content_type(&call.parts.headers)?;
    let conditions = conditions::of(call.headers())?;
    let api = &call.api;
    // Before the body is read. The conditions are evaluated again at the moment of the change.
    api.store.check(&name, &reference, &conditions).await?;
    let permit = api.permit()?;
    let mut reservation = api.store.budget.reserve();
    let limit = api.store.options.max_manifest_size;
    let content = api.body(body).whole(limit, &mut reservation).await?;
    // To completion, even if the client does not wait.
    let (store, repository, of) = (api.store.clone(), name.clone(), reference.clone());
    let pushed = spawn_to_completion(async move {
        let _held = (permit, reservation);
        let content_type = content_type.as_deref();
        let put = store.put_manifest(&repository, &of, &tags, content_type, &conditions, content);
        Ok(put.await?)
    });
    let pushed = pushed.await?;
    let location = format!("/v2/{name}/manifests/{}", pushed.digest);
    let created = [
        (header::LOCATION, location),
        (CONTENT_DIGEST, pushed.digest.to_string()),
        (header::ETAG, entity_tag(&pushed.digest)),
    ];
    let subject = pushed.subject.map(|subject| [(SUBJECT, subject.to_string())]);
    let tagged = matches!(reference, Reference::Digest(_)) && !by_query.is_empty();
    let tagged = tagged.then_some([(TAG, by_query)]);
    Ok((subject, tagged, empty(StatusCode::CREATED, created)).into_response())
}

pub(super) async fn delete(call: Call, name: Name, reference: &str) -> Result<Response> {
    call.admit(&name, Action::Delete).await?;
    call.api.deletable()?;
    let reference = existing(reference)?;
    if matches!(reference, Reference::Tag(_)) && call.api.store.options.immutable_tags {
        return Err(Error::new(Code::Unsupported, "tags are immutable in this registry"));
    }
    let conditions = conditions::of(call.headers())?;
    let store = call.api.store.clone();
    let work = async move {
        match &reference {
            Reference::Tag(tag) => store.delete_tag(&name, tag, &conditions).await?,
            Reference::Digest(digest) => store.delete_manifest(&name, digest, &conditions).await?,
        }
        Ok(())
    };
    spawn_to_completion(work).await?;
    Ok(empty(StatusCode::ACCEPTED, []))
}

/// The reference of a request that does not push. A malformed tag names no manifest.
fn existing(reference: &str) -> Result<Reference> {
    Reference::parse(reference).map_err(|error| match error {
        ParseReferenceError::Digest(error) => error.into(),
        ParseReferenceError::Tag(error) => Error::new(Code::ManifestUnknown, error),
    })
}

/// The media type without its parameters, which are ignored.
fn content_type(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().ok().and_then(|text| text.split(';').next()).map(str::trim);
    match text {
        Some("") => Ok(None),
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Error::new(Code::ManifestInvalid, "Content-Type is not a media type")),
    }
}
