use axum::body::{Body, to_bytes};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Request, StatusCode, header::WWW_AUTHENTICATE};
use inmemory::InMemory;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::NamedTempFile;
use tower::ServiceExt;

use super::*;
use crate::{AccessRules, Registry};

const HOST: &str = "registry.example:5000";
const ROOT: &str = r#"Bearer realm="http://registry.example:5000/token",service="registry""#;
const BASIC: &str = r#"Basic realm="registry", charset="UTF-8""#;

/// Every client may pull from `public`, users may push there; `alice` may do more in `team`.
const RULES: &str = r#"
    access = [
        { repositories = "public/*", users = ["anonymous"], actions = ["pull"] },
        { repositories = "public/*", users = ["*"], actions = ["push"] },
        { repositories = "team/*", users = ["alice"], actions = ["pull", "push"] },
    ]
"#;

/// A registry with the users `alice` and `bob`, whose password is `secret`.
struct Service {
    file: NamedTempFile,
    tokens: Tokens,
    router: Router,
}

struct Response {
    status: StatusCode,
    challenge: String,
    body: Value,
}

impl Response {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {}", self.challenge, self.body);
        self
    }

    #[track_caller]
    fn refuses_with(self, challenge: &str) {
        assert_eq!(self.expect(401).challenge, challenge);
    }

    fn text(&self, key: &str) -> String {
        self.body[key].as_str().unwrap().to_owned()
    }
}

impl Service {
    async fn new(rules: &str) -> Self {
        let file = NamedTempFile::new().unwrap();
        write(&file, &[("alice", "secret"), ("bob", "secret")]);
        let users = Htpasswd::open(file.path()).await.unwrap();
        let tokens = Tokens::new(Arc::new(users.with_rules(toml::from_str(rules).unwrap())));
        Self { router: serve(&tokens), tokens, file }
    }

    async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Response {
        let request = request.header("host", HOST).body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let challenge = response.headers().get(WWW_AUTHENTICATE);
        let challenge = challenge.map_or("", |it| it.to_str().unwrap()).to_owned();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Response { status, challenge, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    async fn ask(&self, method: &str, uri: &str, authorization: Option<&str>) -> Response {
        let request = Request::builder().method(method).uri(uri);
        let request =
            authorization.into_iter().fold(request, |it, a| it.header("authorization", a));
        self.send(request, Body::empty()).await
    }

    async fn get(&self, uri: &str, authorization: Option<&str>) -> Response {
        self.ask("GET", uri, authorization).await
    }

    /// `Authorization` with a token for `scope`.
    async fn token(&self, user: Option<&str>, scope: &str) -> String {
        let basic = user.map(|user| basic(user, "secret"));
        let response = self.get(&format!("/token?scope={scope}"), basic.as_deref()).await;
        format!("Bearer {}", response.expect(200).text("token"))
    }

    async fn pull(&self, repository: &str, authorization: Option<&str>) -> Response {
        self.get(&format!("/v2/{repository}/tags/list"), authorization).await
    }

    async fn push(&self, repository: &str, authorization: Option<&str>) -> Response {
        self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), authorization).await
    }

    async fn form(&self, form: impl Into<Body>) -> Response {
        self.send(Request::post("/token"), form).await
    }
}

fn serve(tokens: &Tokens) -> Router {
    let builder = Registry::builder(Arc::new(InMemory::new()));
    builder.authorize(Arc::new(tokens.clone())).build().router().merge(tokens.router())
}

fn write(file: &NamedTempFile, users: &[(&str, &str)]) {
    let line = |(user, password): &(&str, &str)| {
        format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())
    };
    std::fs::write(file.path(), users.iter().map(line).collect::<String>()).unwrap();
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// The challenge for `scope`, after `error`.
fn scoped(scope: &str, error: &str) -> String {
    let error = if error.is_empty() { String::new() } else { format!(r#",error="{error}""#) };
    format!(r#"{ROOT},scope="{scope}"{error}"#)
}

#[tokio::test]
async fn the_root_names_the_token_endpoint_even_if_all_may_pull() {
    for rules in ["", RULES, "anonymous_pull = true"] {
        Service::new(rules).await.get("/v2/", None).await.refuses_with(ROOT);
    }
}

#[tokio::test]
async fn the_root_takes_the_token_of_a_user() {
    let service = Service::new("").await;
    let token = service.token(Some("bob"), "").await;
    service.get("/v2/", Some(&token)).await.expect(200);
}

#[tokio::test]
async fn the_root_takes_the_token_of_anybody_where_anybody_may_do_anything() {
    for rules in [RULES, "anonymous_pull = true"] {
        let service = Service::new(rules).await;
        let token = service.token(None, "").await;
        service.get("/v2/", Some(&token)).await.expect(200);
    }
}

#[tokio::test]
async fn the_root_is_for_users_where_anonymous_access_is_denied() {
    let service = Service::new("").await;
    let token = service.token(None, "").await;
    let challenge = format!(r#"{ROOT},error="insufficient_scope""#);
    service.get("/v2/", Some(&token)).await.refuses_with(&challenge);
}

#[tokio::test]
async fn a_password_works_without_a_token() {
    let service = Service::new("").await;
    service.get("/v2/", Some(&basic("alice", "secret"))).await.expect(200);
    service.push("a", Some(&basic("alice", "secret"))).await.expect(202);
}

#[tokio::test]
async fn a_wrong_password_leads_to_a_token() {
    let service = Service::new("anonymous_pull = true").await;
    service.get("/v2/", Some(&basic("alice", "wrong"))).await.refuses_with(ROOT);
    let response = service.pull("a", Some(&basic("alice", "wrong"))).await;
    response.refuses_with(&scoped("repository:a:pull", ""));
}

#[tokio::test]
async fn a_challenge_names_the_scope_to_request() {
    let service = Service::new("").await;
    service.pull("a/b", None).await.refuses_with(&scoped("repository:a/b:pull", ""));
    service.push("a/b", None).await.refuses_with(&scoped("repository:a/b:pull,push", ""));
    let response = service.ask("DELETE", "/v2/a/b/manifests/c", None).await;
    response.refuses_with(&scoped("repository:a/b:delete", ""));
    service.get("/v2/_catalog", None).await.refuses_with(&scoped("registry:catalog:*", ""));
}

#[tokio::test]
async fn without_credentials_there_is_a_token_to_pull() {
    let service = Service::new("anonymous_pull = true").await;
    let token = service.token(None, "repository:a:pull,push").await;
    service.pull("a", Some(&token)).await.expect(404);
    let challenge = scoped("repository:a:pull,push", "insufficient_scope");
    service.push("a", Some(&token)).await.refuses_with(&challenge);
}

#[tokio::test]
async fn anonymous_access_needs_no_token() {
    Service::new("anonymous_pull = true").await.pull("a", None).await.expect(404);
}

#[tokio::test]
async fn a_user_s_token_lets_push() {
    let service = Service::new(RULES).await;
    let token = service.token(Some("alice"), "repository:team/a:pull,push").await;
    service.push("team/a", Some(&token)).await.expect(202);
    service.pull("team/a", Some(&token)).await.expect(404);
}

#[tokio::test]
async fn a_token_for_another_repository_is_not_enough() {
    let service = Service::new("").await;
    let token = service.token(Some("alice"), "repository:a:pull,push").await;
    let challenge = scoped("repository:b:pull,push", "insufficient_scope");
    service.push("b", Some(&token)).await.refuses_with(&challenge);
}

#[tokio::test]
async fn a_token_for_another_action_is_not_enough() {
    let service = Service::new("").await;
    let token = service.token(Some("alice"), "repository:a:pull").await;
    let challenge = scoped("repository:a:pull,push", "insufficient_scope");
    service.push("a", Some(&token)).await.refuses_with(&challenge);
}

#[tokio::test]
async fn a_user_who_may_not_is_denied() {
    let service = Service::new(RULES).await;
    let token = service.token(Some("bob"), "repository:team/a:*").await;
    service.pull("team/a", Some(&token)).await.expect(403);
}

#[tokio::test]
async fn a_token_has_the_allowed_part_of_the_requested_scope() {
    let service = Service::new(RULES).await;
    let uri =
        "/token?scope=repository:public/a:*%20repository:team/a:pull&scope=registry:catalog:*";
    let scope = async |user: Option<&str>| {
        let basic = user.map(|user| basic(user, "secret"));
        service.get(uri, basic.as_deref()).await.expect(200).text("scope")
    };
    assert_eq!(scope(None).await, "repository:public/a:pull");
    assert_eq!(scope(Some("bob")).await, "repository:public/a:pull,push registry:catalog:*");
    assert_eq!(
        scope(Some("alice")).await,
        "repository:public/a:pull,push repository:team/a:pull registry:catalog:*"
    );
}

#[tokio::test]
async fn the_catalog_is_for_the_tokens_that_say_so() {
    let service = Service::new(RULES).await;
    let token = service.token(Some("bob"), "registry:catalog:*").await;
    service.get("/v2/_catalog", Some(&token)).await.expect(200);
    let challenge = scoped("registry:catalog:*", "insufficient_scope");
    for user in [None, Some("bob")] {
        let token = service.token(user, "repository:public/a:pull").await;
        service.get("/v2/_catalog", Some(&token)).await.refuses_with(&challenge);
    }
}

#[tokio::test]
async fn the_catalog_needs_a_login_although_anonymous_pulls_do_not() {
    let service = Service::new(RULES).await;
    let token = service.token(None, "registry:catalog:*").await;
    let challenge = scoped("registry:catalog:*", "insufficient_scope");
    service.get("/v2/_catalog", Some(&token)).await.refuses_with(&challenge);
    let service = Service::new("anonymous_pull = true").await;
    let token = service.token(None, "registry:catalog:*").await;
    service.get("/v2/_catalog", Some(&token)).await.expect(200);
}

#[tokio::test]
async fn a_token_response_has_the_fields_that_clients_read() {
    let service = Service::new("").await;
    let request = Request::get("/token").header("host", HOST).body(Body::empty()).unwrap();
    let response = service.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body = service.get("/token?service=registry&account=a", None).await.expect(200).body;
    assert_eq!(body["token"], body["access_token"]);
    assert_eq!(body["expires_in"], 300);
    let issued = humantime::parse_rfc3339(body["issued_at"].as_str().unwrap()).unwrap();
    assert!(issued <= SystemTime::now() && issued > SystemTime::now() - claims::TIME_TO_LIVE);
}

#[tokio::test]
async fn wrong_credentials_get_no_token_even_where_none_are_needed() {
    let service = Service::new("anonymous_pull = true").await;
    for authorization in
        [basic("alice", "wrong"), basic("eve", "secret"), "Basic ?".into(), "Bearer a".into()]
    {
        let response = service.get("/token", Some(&authorization)).await;
        response.refuses_with(BASIC);
    }
}

#[tokio::test]
async fn a_malformed_scope_is_400() {
    let service = Service::new("").await;
    service.get("/token?scope=repository", None).await.expect(400);
    service.get("/token?scope=%ff:%00", None).await.expect(400);
}

#[tokio::test]
async fn a_form_gets_a_token() {
    let service = Service::new("").await;
    let form = "grant_type=password&service=registry&client_id=test&username=alice\
        &password=secret&scope=repository:a:pull,push+repository:b:pull";
    let response = service.form(form).await.expect(200);
    assert_eq!(response.text("scope"), "repository:a:pull,push repository:b:pull");
    let token = format!("Bearer {}", response.text("access_token"));
    service.push("a", Some(&token)).await.expect(202);
}

#[tokio::test]
async fn a_form_with_a_wrong_password_gets_none() {
    let service = Service::new("anonymous_pull = true").await;
    let form = "grant_type=password&username=alice&password=wrong";
    service.form(form).await.refuses_with(BASIC);
    let form = format!("grant_type=password&username=alice&password={}", "x".repeat(73));
    service.form(form).await.refuses_with(BASIC);
}

#[tokio::test]
async fn a_form_with_another_grant_is_400() {
    let service = Service::new("").await;
    for form in [
        "",
        "grant_type=refresh_token&refresh_token=a",
        "username=alice&password=secret",
        "grant_type=password&username=alice",
        "grant_type=password&username=alice&password=secret&scope=a",
        "\u{0}%zz&=&&",
    ] {
        service.form(form).await.expect(400);
    }
    let large =
        format!("grant_type=password&username=alice&password=secret&a={}", "a".repeat(64 << 10));
    service.form(large).await.expect(400);
}

#[tokio::test(start_paused = true)]
async fn a_form_that_stalls_is_408_after_10_seconds() {
    let service = Service::new("").await;
    let never = futures::stream::pending::<Result<&str, std::io::Error>>();
    let start = tokio::time::Instant::now();
    service.form(Body::from_stream(never)).await.expect(408);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_token_that_ended_is_refused() {
    let service = Service::new("").await;
    let alice = service.tokens.users.user("alice");
    let scopes = Scope::parse_all("repository:a:pull").unwrap();
    let claims = service.tokens.claims(alice, scopes);
    let bearer = |claims: &Claims| format!("Bearer {}", claims.seal(&service.tokens.key).unwrap());
    service.pull("a", Some(&bearer(&claims))).await.expect(404);
    let ended = Claims { expires: claims.expires - 301, ..claims };
    let response = service.pull("a", Some(&bearer(&ended))).await;
    response.refuses_with(&scoped("repository:a:pull", "invalid_token"));
}

#[tokio::test]
async fn a_token_of_another_key_is_refused() {
    let service = Service::new("").await;
    let token = Service::new("").await.token(Some("alice"), "repository:a:pull").await;
    let response = service.pull("a", Some(&token)).await;
    response.refuses_with(&scoped("repository:a:pull", "invalid_token"));
}

#[tokio::test]
async fn two_processes_with_one_key_take_each_other_s_tokens() {
    let mut service = Service::new("").await;
    let token = service.token(Some("alice"), "repository:a:pull").await;
    let users = Htpasswd::open(service.file.path()).await.unwrap();
    let other = Tokens::new(Arc::new(users)).with_key(service.tokens.key.clone());
    service.router = serve(&other);
    service.pull("a", Some(&token)).await.expect(404);
}

#[tokio::test]
async fn rules_hold_when_a_token_is_used() {
    let mut service = Service::new("anonymous_pull = true").await;
    let anonymous = service.token(None, "repository:a:pull").await;
    let bob = service.token(Some("bob"), "repository:a:pull").await;
    let users = Htpasswd::open(service.file.path()).await.unwrap();
    let users = users.with_rules(toml::from_str::<AccessRules>(RULES).unwrap());
    let other = Tokens::new(Arc::new(users)).with_key(service.tokens.key.clone());
    service.router = serve(&other);
    let challenge = scoped("repository:a:pull", "insufficient_scope");
    service.pull("a", Some(&anonymous)).await.refuses_with(&challenge);
    service.pull("a", Some(&bob)).await.expect(403);
}

#[tokio::test]
async fn a_token_ends_with_its_user_and_with_the_password() {
    let service = Service::new("").await;
    let alice = service.token(Some("alice"), "").await;
    let bob = service.token(Some("bob"), "").await;
    write(&service.file, &[("alice", "other")]);
    service.get("/v2/", Some(&alice)).await.expect(200);
    service.tokens.users.reload().await.unwrap();
    let challenge = format!(r#"{ROOT},error="invalid_token""#);
    service.get("/v2/", Some(&alice)).await.refuses_with(&challenge);
    service.get("/v2/", Some(&bob)).await.refuses_with(&challenge);
}

#[tokio::test]
async fn a_token_outlives_the_reload_of_the_same_password() {
    let service = Service::new("").await;
    let alice = service.token(Some("alice"), "").await;
    service.tokens.users.reload().await.unwrap();
    service.get("/v2/", Some(&alice)).await.expect(200);
}

#[tokio::test]
async fn two_authorizations_are_refused() {
    let service = Service::new("").await;
    let token = service.token(Some("alice"), "").await;
    let request = Request::get("/v2/").header("authorization", &token);
    let request = request.header("authorization", &token);
    service.send(request, Body::empty()).await.refuses_with(ROOT);
}

#[tokio::test]
async fn the_page_has_a_challenge_for_browsers() {
    let service = Service::new("").await;
    service.get("/", None).await.refuses_with(BASIC);
    service.get("/", Some("Bearer a")).await.refuses_with(BASIC);
    service.get("/", Some(&basic("alice", "secret"))).await.expect(200);
}

#[tokio::test]
async fn a_request_without_a_host_is_asked_for_a_password() {
    let service = Service::new("").await;
    let request = Request::get("/v2/").body(Body::empty()).unwrap();
    let response = service.router.oneshot(request).await.unwrap();
    assert_eq!(response.headers()[WWW_AUTHENTICATE], BASIC);
}

#[tokio::test]
async fn clients_are_sent_where_the_settings_say() {
    let mut service = Service::new("").await;
    let url = "https://registry.example".parse().unwrap();
    service.router = serve(&service.tokens.clone().with_external_url(url));
    let challenge = r#"Bearer realm="https://registry.example/token",service="registry""#;
    service.get("/v2/", None).await.refuses_with(challenge);
}

#[tokio::test]
async fn a_trusted_proxy_names_the_external_url() {
    let mut service = Service::new("").await;
    service.router = serve(&service.tokens.clone().with_trusted_proxy(true));
    let request = Request::get("/v2/").header("x-forwarded-proto", "https");
    let challenge = format!(r#"Bearer realm="https://{HOST}/token",service="registry""#);
    service.send(request, Body::empty()).await.refuses_with(&challenge);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_token_is_refused(token in "[!-~]{0,60}( [!-~]{0,10})?") {
        tokio_test::block_on(async {
            let service = Service::new("anonymous_pull = true").await;
            for uri in ["/v2/", "/token"] {
                service.get(uri, Some(&format!("Bearer {token}"))).await.expect(401);
            }
        });
    }
}

const DIGEST: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// Pushes `hello` to `repository` as alice.
async fn push_hello(service: &Service, repository: &str) {
    let uri = format!("/v2/{repository}/blobs/uploads/?digest={DIGEST}");
    let request = Request::post(uri).header("authorization", basic("alice", "secret"));
    service.send(request, "hello").await.expect(201);
}

async fn mount(service: &Service, to: &str, from: &str, authorization: &str) -> Response {
    let uri = format!("/v2/{to}/blobs/uploads/?mount={DIGEST}&from={from}");
    service.ask("POST", &uri, Some(authorization)).await
}

#[tokio::test]
async fn a_mount_for_which_only_the_token_lacks_the_scope_asks_for_both() {
    let service = Service::new("").await;
    push_hello(&service, "a/source").await;
    let token = service.token(Some("alice"), "repository:a/target:pull,push").await;
    let scopes = "repository:a/target:pull,push repository:a/source:pull";
    let response = mount(&service, "a/target", "a/source", &token).await;
    response.refuses_with(&scoped(scopes, "insufficient_scope"));
    for scopes in [
        "repository:a/target:pull,push%20repository:a/source:pull",
        "repository:a/target:pull,push+repository:a/source:pull",
        "repository:a/target:pull,push&scope=repository:a/source:pull",
    ] {
        let token = service.token(Some("alice"), scopes).await;
        mount(&service, "a/target", "a/source", &token).await.expect(201);
    }
}

#[tokio::test]
async fn a_mount_from_where_one_may_not_pull_begins_an_upload() {
    let service = Service::new(RULES).await;
    push_hello(&service, "team/a").await;
    let token = service.token(Some("bob"), "repository:public/a:pull,push").await;
    mount(&service, "public/a", "team/a", &token).await.expect(202);
    let both = service.token(Some("bob"), "repository:public/a:push+repository:team/a:pull").await;
    mount(&service, "public/a", "team/a", &both).await.expect(202);
    mount(&service, "public/a", "team/a", &basic("bob", "secret")).await.expect(202);
}

#[tokio::test]
async fn a_mount_from_an_invalid_name_begins_an_upload_with_a_token_too() {
    let service = Service::new("").await;
    let token = service.token(Some("alice"), "repository:a:pull,push").await;
    for from in ["UPPER", "", "..", "b%20c"] {
        mount(&service, "a", from, &token).await.expect(202);
    }
}

#[tokio::test]
async fn a_mount_from_a_repository_without_anonymous_pull_begins_an_upload() {
    let rules = r#"
        access = [
            { repositories = "open/*", users = ["anonymous"], actions = ["pull", "push"] },
            { repositories = "team/*", users = ["alice"], actions = ["pull", "push"] },
        ]
    "#;
    let service = Service::new(rules).await;
    push_hello(&service, "team/a").await;
    let token = service.token(None, "repository:open/a:pull,push").await;
    mount(&service, "open/a", "team/a", &token).await.expect(202);
}

/// The catalog as these credentials see it, after a push to `public/a` and `team/a`.
async fn catalog(service: &Service, authorization: Option<&str>) -> Vec<String> {
    for repository in ["public/a", "team/a"] {
        let manifest = r#"{"schemaVersion":2,"manifests":[]}"#;
        let request = Request::put(format!("/v2/{repository}/manifests/v1"))
            .header("content-type", "application/vnd.oci.image.index.v1+json")
            .header("authorization", basic("alice", "secret"));
        service.send(request, manifest).await.expect(201);
    }
    let response = service.get("/v2/_catalog", authorization).await.expect(200);
    let names = response.body["repositories"].as_array().unwrap();
    names.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_catalog_lists_the_repositories_that_the_rules_allow() {
    let service = Service::new(RULES).await;
    for (user, expected) in [("alice", &["public/a", "team/a"][..]), ("bob", &["public/a"])] {
        let token = service.token(Some(user), "registry:catalog:*").await;
        assert_eq!(catalog(&service, Some(&token)).await, expected);
        assert_eq!(catalog(&service, Some(&basic(user, "secret"))).await, expected);
    }
}

#[tokio::test]
async fn the_catalog_lists_all_to_anybody_where_anybody_may_pull() {
    let service = Service::new("anonymous_pull = true").await;
    assert_eq!(catalog(&service, None).await, ["public/a", "team/a"]);
    let token = service.token(None, "registry:catalog:*").await;
    assert_eq!(catalog(&service, Some(&token)).await, ["public/a", "team/a"]);
}
