//! [`Curl`]: requests by curl, byte by byte.

use std::{
    io::Write,
    process::{Child, Output, Stdio},
};

use super::{program::Program, served::Served};

/// curl, and whom it asks.
#[derive(Debug)]
pub(crate) struct Curl {
    program: Program,
    address: String,
}

/// What it was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Curl {
    /// `None`, with a word about it, where there is no curl.
    pub(crate) fn find() -> Option<Program> {
        Program::find("curl")
    }

    pub(crate) fn new(program: &Program, served: &Served) -> Self {
        Self { program: program.clone(), address: served.address.clone() }
    }

    /// A request to `target`, a path or what an answer named, with `options` and a body, if there is
    /// one: its answer, or what curl says of there being none.
    pub(crate) fn try_ask(
        &self,
        options: &[&str],
        target: &str,
        body: Option<&[u8]>,
    ) -> Result<Answer, String> {
        let mut curl = self.spawn(options, target, body.is_some());
        if let Some(body) = body {
            // Where it is not read to its end, that is seen by the answer.
            let _ = curl.stdin.take().unwrap().write_all(body);
        }
        let Output { status, stdout, stderr } = curl.wait_with_output().unwrap();
        if status.success() {
            Ok(Answer::parse(stdout))
        } else {
            Err(String::from_utf8(stderr).unwrap())
        }
    }

    /// The same, where there is an answer.
    #[track_caller]
    pub(crate) fn ask(&self, options: &[&str], target: &str, body: Option<&[u8]>) -> Answer {
        let answer = self.try_ask(options, target, body);
        answer.unwrap_or_else(|error| panic!("{options:?} {target}: {error}"))
    }

    /// curl itself, which reads its body from standard input.
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
            // Without `Expect` there is no interim answer in front of the one that counts.
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

    /// Begins an upload to `repository`, and returns where it goes on.
    pub(crate) fn begin(&self, repository: &str) -> String {
        let answer = self.ask(&["-X", "POST"], &format!("/v2/{repository}/blobs/uploads/"), None);
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.header("location").to_owned()
    }
}

impl Answer {
    fn parse(mut output: Vec<u8>) -> Self {
        let end = output.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let body = output.split_off(end);
        let head = String::from_utf8(output).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body }
    }

    /// A header of it.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.next().unwrap_or_else(|| panic!("no {name} in {}", self.head)).1
    }

    /// The code of the first error that it tells.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let told = super::layout::parse(&self.body);
        told["errors"][0]["code"].as_str().unwrap().to_owned()
    }
}

/// Where an upload that goes on at `location` ends, as the blob of `digest`.
pub(crate) fn finish(location: &str, digest: &str) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={digest}")
}
