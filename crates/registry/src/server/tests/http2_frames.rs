//! HTTP/2 frame by frame: clients that try to hold a connection or a response open.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf},
    task::JoinHandle,
    time::{Duration, Instant, sleep, timeout},
};

use super::{LIMITS, assert_about, connect, connect_to, registry};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const CANCEL: &[u8] = &[0, 0, 0, 8];

/// An error of the connection means that the server has closed it.
async fn send(writer: &mut WriteHalf<DuplexStream>, frame: &[u8]) -> std::io::Result<()> {
    writer.write_all(frame).await
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The preface, and the client's settings: the initial window of a stream.
fn hello(window: u32) -> Vec<u8> {
    let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &settings)].concat()
}

fn head(method: u8, path: &str) -> Vec<u8> {
    let path_length = u8::try_from(path.len()).unwrap();
    // `:method` and `:scheme: http` by index, `:path` and `:authority` as literals.
    [&[method, 0x86, 0x04, path_length], path.as_bytes(), &[0x01, 1, b'a']].concat()
}

fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &head(0x82, path))
}

fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

fn ping() -> Vec<u8> {
    frame(PING, 0, 0, &[0; 8])
}

struct Received {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Received {
    fn is_reset_of(&self, stream: u32) -> bool {
        self.kind == RST_STREAM && self.stream == stream
    }
}

struct Client {
    reader: ReadHalf<DuplexStream>,
    writer: WriteHalf<DuplexStream>,
    server: JoinHandle<()>,
}

impl Client {
    async fn new(window: u32, requests: &[Vec<u8>]) -> Self {
        Self::on(connect(64 << 10), window, requests).await
    }

    async fn on(
        (client, server): (DuplexStream, JoinHandle<()>),
        window: u32,
        requests: &[Vec<u8>],
    ) -> Self {
        let (reader, mut writer) = tokio::io::split(client);
        send(&mut writer, &hello(window)).await.unwrap();
        send(&mut writer, &requests.concat()).await.unwrap();
        Self { reader, writer, server }
    }

    /// Sends `frames` once a second from now on, until the connection is closed.
    fn repeat(self, frames: Vec<u8>) -> Reader {
        let Self { reader, mut writer, server } = self;
        tokio::spawn(async move {
            while send(&mut writer, &frames).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        Reader { reader, server }
    }
}

struct Reader {
    reader: ReadHalf<DuplexStream>,
    server: JoinHandle<()>,
}

/// The next frame; `None` at the end of the connection.
async fn next(reader: &mut ReadHalf<DuplexStream>) -> Option<Received> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    reader.read_exact(&mut payload).await.ok()?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some(Received { kind: head[3], flags: head[4], stream, payload })
}

impl Reader {
    async fn next(&mut self) -> Option<Received> {
        next(&mut self.reader).await
    }

    /// Reads up to a frame of this kind.
    async fn find(&mut self, wanted: impl Fn(&Received) -> bool) -> Received {
        loop {
            let frame = self.next().await.expect("the connection is closed");
            if wanted(&frame) {
                return frame;
            }
        }
    }

    /// Reads until the connection is closed.
    async fn drain(mut self) {
        // Far beyond every limit.
        let closed = async { while self.next().await.is_some() {} };
        timeout(Duration::from_secs(3_600), closed).await.expect("the connection stays open");
        self.server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn pings_do_not_keep_a_connection_open() {
    let start = Instant::now();
    Client::new(65_535, &[]).await.repeat(ping()).drain().await;
    assert_about(start.elapsed(), LIMITS.header_timeout);
}

#[tokio::test(start_paused = true)]
async fn settings_do_not_keep_a_connection_open() {
    let start = Instant::now();
    Client::new(65_535, &[]).await.repeat(frame(SETTINGS, 0, 0, &[])).drain().await;
    assert_about(start.elapsed(), LIMITS.header_timeout);
}

#[tokio::test(start_paused = true)]
async fn headers_in_ever_more_frames_do_not_keep_a_connection_open() {
    let start = Instant::now();
    let begun = frame(HEADERS, END_STREAM, 1, &head(0x82, "/"));
    let client = Client::new(65_535, &[begun]).await;
    client.repeat(frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'])).drain().await;
    assert!(start.elapsed() <= LIMITS.header_timeout + super::CLOSING);
}

#[tokio::test(start_paused = true)]
async fn pings_do_not_hold_a_response_open() {
    let start = Instant::now();
    let mut reader = Client::new(65_535, &[get(1, "/one")]).await.repeat(ping());
    let reset = timeout(Duration::from_secs(3_600), reader.find(|frame| frame.is_reset_of(1)));
    assert_eq!(reset.await.expect("the stream is not reset").payload, CANCEL);
    assert_about(start.elapsed(), LIMITS.write_timeout);
    reader.drain().await;
    assert_about(start.elapsed(), LIMITS.write_timeout + LIMITS.header_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_shorter_than_its_first_chunk_can_stall() {
    // The whole content is with HTTP/2 after the first byte, and the handler is gone.
    let mut reader = Client::new(1, &[get(1, "/")]).await.repeat(ping());
    let reset = timeout(Duration::from_secs(3_600), reader.find(|frame| frame.is_reset_of(1)));
    assert_eq!(reset.await.expect("the stream is not reset").payload, CANCEL);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_taken_a_byte_at_a_time_is_reset() {
    let start = Instant::now();
    let client = Client::new(0, &[get(1, "/one")]).await;
    let mut reader = client.repeat(window_update(1, 1));
    let reset = timeout(Duration::from_secs(3_600), reader.find(|frame| frame.is_reset_of(1)));
    reset.await.expect("the stream is not reset");
    assert_about(start.elapsed(), LIMITS.write_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_taken_slowly_is_not_reset() {
    let client = Client::new(0, &[get(1, "/one")]).await;
    let grant = [window_update(1, 100), window_update(0, 100)].concat();
    let mut reader = client.repeat(grant);
    let mut taken = 0;
    while taken < 1 << 20 {
        let data = reader.find(|frame| frame.kind == DATA || frame.is_reset_of(1)).await;
        assert_eq!(data.kind, DATA, "reset after {taken} bytes");
        taken += data.payload.len();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_is_reset_while_another_moves() {
    let start = Instant::now();
    let client = Client::new(65_535, &[get(1, "/one"), get(3, "/moving")]).await;
    let grant = [window_update(3, 1 << 10), window_update(0, 1 << 10)].concat();
    let mut reader = client.repeat(grant);
    reader.find(|frame| frame.is_reset_of(1)).await;
    assert_about(start.elapsed(), LIMITS.write_timeout);
    let ended = reader.find(|frame| frame.stream == 3 && frame.flags & END_STREAM != 0).await;
    assert_eq!(ended.kind, DATA);
    assert_about(start.elapsed(), Duration::from_secs(1_000));
}

#[tokio::test(start_paused = true)]
async fn empty_frames_are_no_progress_of_a_body() {
    let connection = connect_to(registry(), 64 << 10);
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let path = format!("/v2/a/blobs/uploads/?digest=sha256:{digest}");
    let post = frame(HEADERS, END_HEADERS, 1, &head(0x83, &path));
    let start = Instant::now();
    let mut reader = Client::on(connection, 65_535, &[post]).await.repeat(frame(DATA, 0, 1, &[]));
    reader.find(|frame| frame.kind == HEADERS && frame.stream == 1).await;
    assert_about(start.elapsed(), Duration::from_secs(20));
}
