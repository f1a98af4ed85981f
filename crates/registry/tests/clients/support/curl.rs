//! [`Curl`]: requests by curl, byte by byte.

use std::{
    io::Write,
    process::{Child, Output, Stdio},
};

use super::{program::Program, served::Served};

/// curl, and the registry that it sends requests to.
#[derive(Debug)]
pub(crate) struct Curl {
    program: Program,
    address: String,
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Curl {
    /// `None`, after a message, if curl is not installed.
    pub(crate) fn find() -> Option<Program> {
        Program::find("curl")
    }

    pub(crate) fn new(program: &Program, served: &Served) -> Self {
        Self::at(program, &served.address)
    }

    /// For a registry at this host and port.
    pub(crate) fn at(program: &Program, address: impl ToString) -> Self {
        Self { program: program.clone(), address: address.to_string() }
    }

    /// Sends a request to `target`, a path or a URL from a response, with `options` and an optional body.
    ///
    /// # Errors
    ///
    /// The message of curl if there is no response.
    pub(crate) fn try_ask(
        &self,
        options: &[&str],
        target: &str,
        body: Option<&[u8]>,
    ) -> Result<Response, String> {
        let mut curl = self.spawn(options, target, body.is_some());
        if let Some(body) = body {
            // If curl does not read all of it, the response shows that.
            let _ = curl.stdin.take().unwrap().write_all(body);
        }
        let Output { status, stdout, stderr } = curl.wait_with_output().unwrap();
        if status.success() {
            Ok(Response::parse(stdout))
        } else {
            Err(String::from_utf8(stderr).unwrap())
        }
    }

    /// The same. It panics if there is no response.
    #[track_caller]
    pub(crate) fn ask(&self, options: &[&str], target: &str, body: Option<&[u8]>) -> Response {
        let response = self.try_ask(options, target, body);
        response.unwrap_or_else(|error| panic!("{options:?} {target}: {error}"))
    }

    /// Starts curl, which reads the body from standard input.
    pub(crate) fn spawn(&self, options: &[&str], target: &str, body: bool) -> Child {
        let mut command = self.program.command();
        command.args([
            "--silent",
            "--show-error",
            "--include",
            "--noproxy",
            "*",
            "--max-time",
            "60",
        ]);
        if body {
            // Without `Expect`, there is no interim response.
            command.args(["--upload-file", "-", "--header", "Expect:"]).stdin(Stdio::piped());
            if !options.iter().any(|it| it.starts_with("Content-Type:")) {
                command.args(["--header", "Content-Type: application/octet-stream"]);
            }
        }
        let absolute = target.starts_with("http://");
        let url =
            if absolute { target.to_owned() } else { format!("http://{}{target}", self.address) };
        command.args(options).arg(url).spawn().unwrap()
    }

    /// Begins an upload to `repository`, and returns its location.
    pub(crate) fn begin(&self, repository: &str) -> String {
        let response = self.ask(&["-X", "POST"], &format!("/v2/{repository}/blobs/uploads/"), None);
        assert_eq!(response.status, 202, "{response:?}");
        response.header("location").to_owned()
    }
}

impl Response {
    fn parse(mut output: Vec<u8>) -> Self {
        let end = output.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let body = output.split_off(end);
        let head = String::from_utf8(output).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body }
    }

    /// A header of the response.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.next().unwrap_or_else(|| panic!("no {name} in {}", self.head)).1
    }

    /// The code of the first error in the body.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let error = super::layout::parse(&self.body);
        error["errors"][0]["code"].as_str().unwrap().to_owned()
    }
}

/// The URL that finishes the upload at `location` as the blob `digest`.
pub(crate) fn finish(location: &str, digest: &str) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={digest}")
}
