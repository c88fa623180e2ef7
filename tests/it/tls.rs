//! HTTPS and HTTP/2 from the outside, by curl: a client with a TLS and an HTTP/2 of its own, which verifies the
//! server's certificate against the authority that the server has made, as a user's would.

use crate::client::{ACCOUNT, KEY};
use crate::node::Node;
use crate::random;
use crate::sign::{Signable, http_date};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// curl's exit code for a certificate that it cannot verify.
const NOT_TRUSTED: i32 = 60;

/// What curl saw.
#[derive(Debug)]
struct Seen {
    exit: i32,
    status: u16,
    version: String,
    body: Vec<u8>,
}

impl Seen {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Runs curl; `body` is sent from its standard input.
fn curl(arguments: &[&str], body: &[u8]) -> Seen {
    let mut command = Command::new("curl");
    // Behind the body, on standard error, so that nothing of it is taken for the answer.
    command.args(["--silent", "--max-time", "60", "--write-out", "%{stderr}\n%{http_code} %{http_version}"]);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("curl is installed; ./dev setup does it");
    let mut stdin = child.stdin.take().expect("stdin was piped");
    let body = body.to_vec();
    // curl reads none of it where it sends no body.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&body)));
    let output = child.wait_with_output().expect("curl ends");
    writer.join().expect("the writer does not panic");
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    let (status, version) = report.lines().last().and_then(|line| line.split_once(' ')).unwrap_or(("0", ""));
    Seen {
        exit: output.status.code().unwrap_or(-1),
        status: status.parse().unwrap_or(0),
        version: version.to_owned(),
        body: output.stdout,
    }
}

/// A node with TLS, and how to reach it.
struct Secure {
    node: Node,
    authority: PathBuf,
}

impl Secure {
    fn start() -> Self {
        let node = Node::start_with(&["--tls"]);
        let authority = node.folder().join("server/ca.pem");
        Self { node, authority }
    }

    fn port(&self, service: &str) -> &str {
        let (address, _) = self.node.endpoint(service).split_once('/').expect("an endpoint has a path");
        address.rsplit_once(':').expect("an address has a port").1
    }

    /// Sends a signed request to the blob service under this host name, with further arguments for curl.
    fn blob(&self, host: &str, method: &str, target: &str, body: &[u8], arguments: &[&str]) -> Seen {
        let streamed = arguments.contains(&"--upload-file");
        let length = (method == "PUT" && !streamed).then_some(body.len());
        let own = self.arguments(host, method, target, length);
        let mut all: Vec<&str> = own.iter().map(String::as_str).collect();
        if length.is_some() {
            all.extend(["--data-binary", "@-"]);
        }
        all.extend(arguments);
        curl(&all, body)
    }

    /// What curl is told of a request: where it goes, whom it trusts, its headers and their signature.
    fn arguments(&self, host: &str, method: &str, target: &str, length: Option<usize>) -> Vec<String> {
        let mut headers = vec![
            ("x-ms-date".to_owned(), http_date(random::now().as_secs())),
            ("x-ms-version".to_owned(), "2026-04-06".to_owned()),
        ];
        if method == "PUT" && !target.contains("restype") {
            headers.push(("x-ms-blob-type".to_owned(), "BlockBlob".to_owned()));
            headers.push(("X-Ms-Meta-NameOf".to_owned(), "Value".to_owned()));
        }
        if let Some(length) = length {
            headers.push(("content-length".to_owned(), length.to_string()));
            headers.push(("content-type".to_owned(), "text/plain".to_owned()));
        }
        let key = STANDARD.decode(KEY).expect("the published key is Base64");
        let authorization = Signable { method, target, headers: &headers }.for_blob_or_queue(ACCOUNT, &key);
        headers.push(("authorization".to_owned(), authorization));
        let (port, authority) = (self.port("blob"), self.authority.to_str().expect("a path that is text"));
        let resolve = format!("{host}:{port}:127.0.0.1");
        let mut all =
            ["--request", method, "--cacert", authority, "--resolve", &resolve].map(str::to_owned).to_vec();
        for (name, value) in headers {
            all.extend(["--header".to_owned(), format!("{name}: {value}")]);
        }
        all.push(format!("https://{host}:{port}{target}"));
        all
    }
}

fn path(target: &str) -> String {
    format!("/{ACCOUNT}{target}")
}

#[test]
fn clients_verify_the_certificate_by_the_authority_that_the_server_made() {
    let secure = Secure::start();
    let url = format!("https://127.0.0.1:{}/{ACCOUNT}?comp=list", secure.port("blob"));
    assert_eq!(curl(&[&url], b"").exit, NOT_TRUSTED, "an authority that nobody trusts proves nothing");
    for host in ["127.0.0.1", "localhost"] {
        let seen = secure.blob(host, "GET", &path("/?comp=list"), b"", &[]);
        assert_eq!((seen.exit, seen.status), (0, 200), "{host}: {seen:?}");
        let endpoint = format!("ServiceEndpoint=\"https://{host}:{}/{ACCOUNT}/\"", secure.port("blob"));
        assert!(seen.text().contains(&endpoint), "{}", seen.text());
    }
    assert_eq!(secure.blob("example.org", "GET", &path("/"), b"", &[]).exit, NOT_TRUSTED);
    let key = secure.node.folder().join("server/authority.json");
    let mode = std::fs::metadata(key).expect("the authority is kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "its key is its owner's");
}

#[test]
fn the_authority_outlives_the_process_and_is_the_one_to_trust() {
    let mut secure = Secure::start();
    let first = std::fs::read(&secure.authority).expect("the authority's certificate");
    let told = secure.node.succeeds(&["trust"]);
    assert!(told.contains(secure.authority.to_str().expect("a path that is text")), "{told}");
    assert!(secure.node.stop().success());
    secure.node.restart();
    assert_eq!(std::fs::read(&secure.authority).expect("the authority's certificate"), first);
    assert_eq!(secure.blob("localhost", "GET", &path("/?comp=list"), b"", &[]).status, 200);
}

#[test]
fn http_2_and_http_1_do_the_same() {
    let secure = Secure::start();
    let large: Vec<u8> = (0..5_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    for (arguments, version) in [(["--http2"], "2"), (["--http1.1"], "1.1")] {
        let container = format!("/over{}", version.replace('.', ""));
        let made = secure.blob(
            "127.0.0.1",
            "PUT",
            &path(&format!("{container}?restype=container")),
            b"",
            &arguments,
        );
        assert_eq!((made.status, made.version.as_str()), (201, version), "{}", made.text());
        for (name, content) in [("small", &b"hello"[..]), ("large", &large), ("empty", b"")] {
            let target = path(&format!("{container}/{name}"));
            let put = secure.blob("127.0.0.1", "PUT", &target, content, &arguments);
            assert_eq!((put.status, put.version.as_str()), (201, version), "{name}: {}", put.text());
            let got = secure.blob("127.0.0.1", "GET", &target, b"", &arguments);
            assert!((got.status, got.version.as_str()) == (200, version) && got.body == content, "{name}");
        }
        let missing =
            secure.blob("127.0.0.1", "GET", &path(&format!("{container}/missing")), b"", &arguments);
        assert_eq!(missing.status, 404);
        let refused = secure.blob("127.0.0.1", "PUT", &path("/missing/blob"), &large, &arguments);
        assert_eq!((refused.exit, refused.status), (0, 404), "{refused:?}");
        let head = [arguments.as_slice(), &["--head"]].concat();
        let described = secure.blob("127.0.0.1", "HEAD", &path(&format!("{container}/large")), b"", &head);
        assert!(
            described.text().to_ascii_lowercase().contains("content-length: 5000000"),
            "{}",
            described.text()
        );
    }
}

#[test]
fn many_requests_share_a_connection() {
    let secure = Secure::start();
    secure.blob("127.0.0.1", "PUT", &path("/shared?restype=container"), b"", &[]);
    let content = vec![3; 100_000];
    assert_eq!(secure.blob("127.0.0.1", "PUT", &path("/shared/blob"), &content, &[]).status, 201);
    let mut arguments = secure.arguments("127.0.0.1", "GET", &path("/shared/blob"), None);
    let url = arguments.last().cloned().expect("the address is the last of them");
    arguments.extend(std::iter::repeat_n(url, 299));
    arguments
        .extend(["--http2", "--parallel", "--parallel-max", "50", "--no-progress-meter"].map(str::to_owned));
    arguments.extend(
        ["--write-out", "%{stderr}seen %{http_code} %{http_version} %{num_connects}\n"].map(str::to_owned),
    );
    let output = Command::new("curl").arg("--silent").args(&arguments).output().expect("curl is installed");
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(report.matches("seen 200 2 ").count(), 300, "{report}");
    assert_eq!(report.matches("seen 200 2 1").count(), 1, "one connection is made for all: {report}");
    assert!(output.stdout.len() == 300 * content.len());
}

#[test]
fn http_2_names_the_account_in_its_authority() {
    let secure = Secure::start();
    let host = format!("{ACCOUNT}.blob.localhost");
    let signed = |method: &str, rest: &str, body: &[u8]| {
        // What is signed begins with the account, whether the address does or not.
        let seen = secure.blob(&host, method, rest, body, &["--http2"]);
        assert_eq!(seen.version, "2");
        seen
    };
    assert_eq!(signed("PUT", "/hosted?restype=container", b"").status, 201);
    assert_eq!(signed("PUT", "/hosted/blob", b"content").status, 201);
    assert_eq!(signed("GET", "/hosted/blob", b"").body, b"content");
    let listed = signed("GET", "/?comp=list", b"").text();
    assert!(
        listed.contains(&format!("ServiceEndpoint=\"https://{host}:{}/\"", secure.port("blob"))),
        "{listed}"
    );
}

#[test]
fn http_2_loses_the_capitals_of_metadata_and_nothing_else() {
    let secure = Secure::start();
    secure.blob("127.0.0.1", "PUT", &path("/case?restype=container"), b"", &[]);
    for (written, read, line) in [
        ("--http1.1", "--http1.1", "\r\nx-ms-meta-NameOf: Value\r\n"),
        ("--http1.1", "--http2", "\r\nx-ms-meta-nameof: Value\r\n"),
        ("--http2", "--http1.1", "\r\nx-ms-meta-nameof: Value\r\n"),
    ] {
        let put = secure.blob("127.0.0.1", "PUT", &path("/case/blob"), b"content", &[written]);
        assert_eq!(put.status, 201, "{}", put.text());
        let got = secure.blob("127.0.0.1", "HEAD", &path("/case/blob"), b"", &[read, "--head"]);
        assert!(got.text().contains(line), "{written} {read}: {}", got.text());
    }
}

#[test]
fn http_2_takes_bodies_of_a_length_that_is_not_said() {
    let secure = Secure::start();
    secure.blob("127.0.0.1", "PUT", &path("/streamed?restype=container"), b"", &[]);
    let body = vec![7; 300_000];
    let arguments = ["--http2", "--upload-file", "-"];
    let put = secure.blob("127.0.0.1", "PUT", &path("/streamed/blob"), &body, &arguments);
    assert_eq!((put.status, put.version.as_str()), (201, "2"), "{}", put.text());
    assert!(secure.blob("127.0.0.1", "GET", &path("/streamed/blob"), b"", &[]).body == body);
}

#[test]
fn an_answer_that_comes_before_the_body_is_not_lost() {
    let secure = Secure::start();
    let body = vec![7; 32 << 20];
    for version in ["--http2", "--http1.1"] {
        let seen = secure.blob("127.0.0.1", "PUT", &path("/nowhere/blob"), &body, &[version]);
        assert_eq!((seen.exit, seen.status), (0, 404), "{version}");
        assert!(seen.text().contains("ContainerNotFound"), "{version}: {}", seen.text());
    }
}

#[test]
fn http_2_has_the_limits_of_http_1() {
    let secure = Secure::start();
    let many: Vec<String> = (0..250).map(|number| format!("other-{number}: 1")).collect();
    let long = format!("other-long: {}", "a".repeat(80_000));
    for version in ["--http2", "--http1.1"] {
        let few =
            secure.blob("127.0.0.1", "GET", &path("/?comp=list"), b"", &[version, "--header", &many[0]]);
        assert_eq!(few.status, 200, "{version}: one header more");
        let mut arguments = vec![version];
        arguments.extend(many.iter().flat_map(|header| ["--header", header]));
        let seen = secure.blob("127.0.0.1", "GET", &path("/?comp=list"), b"", &arguments);
        assert_eq!(seen.status, 431, "{version}: 250 headers");
        let seen = secure.blob("127.0.0.1", "GET", &path("/?comp=list"), b"", &[version, "--header", &long]);
        assert!(!(200..300).contains(&seen.status), "{version}: 80 kB of a header, {}", seen.status);
    }
    let target = path("/?comp=list");
    assert_eq!(secure.blob("127.0.0.1", "GET", &target, b"", &["--http2"]).status, 200, "it serves on");
}

#[test]
fn whoever_does_not_shake_hands_keeps_nobody_waiting() {
    let mut secure = Secure::start();
    let address = format!("127.0.0.1:{}", secure.port("blob"));
    let silent: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(&address).expect("the port accepts")).collect();
    let mut plain = TcpStream::connect(&address).expect("the port accepts");
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("a little fits the socket");
    assert_eq!(secure.blob("127.0.0.1", "GET", &path("/?comp=list"), b"", &[]).status, 200);
    assert!(secure.node.stop().success(), "nor does stopping wait for them");
    drop(silent);
}

#[test]
fn a_server_that_stops_lets_a_request_of_http_2_come_to_its_end() {
    let mut secure = Secure::start();
    let container = path("/drained?restype=container");
    assert_eq!(secure.blob("127.0.0.1", "PUT", &container, b"", &["--http2"]).status, 201);
    let arguments = secure.arguments("127.0.0.1", "PUT", &path("/drained/blob"), None);
    let mut command = Command::new("curl");
    command.args(["--silent", "--verbose", "--http2", "--upload-file", "-"]).args(&arguments);
    command.args(["--write-out", "%{http_code}"]);
    let mut curl = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("curl is installed");
    let mut body = curl.stdin.take().expect("stdin was piped");
    let mut said = BufReader::new(curl.stderr.take().expect("stderr was piped")).lines();
    let sent = said.any(|line| line.is_ok_and(|line| line.starts_with("> PUT")));
    assert!(sent, "curl sends its request");
    body.write_all(&vec![1; 100_000]).expect("curl reads");
    secure.node.signal("TERM");
    body.write_all(&vec![2; 100_000]).expect("curl reads on");
    drop(body);
    for _ in said {}
    let output = curl.wait_with_output().expect("curl ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "201");
    assert!(secure.node.wait().success());
    secure.node.restart();
    let got = secure.blob("127.0.0.1", "GET", &path("/drained/blob"), b"", &["--http2"]);
    assert!(got.body == [vec![1; 100_000], vec![2; 100_000]].concat());
}

#[test]
fn the_plain_port_speaks_http_1_only() {
    let node = Node::start();
    let url = format!("http://{}", node.endpoint("blob"));
    let seen = curl(&["--http2", &url], b"");
    assert_eq!(seen.version, "1.1", "an offer to upgrade is passed over");
    assert_ne!(curl(&["--http2-prior-knowledge", &url], b"").exit, 0);
}

/// Writes a certificate for 127.0.0.1 and its key; gives a file to trust it by.
fn certificate(folder: &Path, name: &str) -> PathBuf {
    let names = vec!["127.0.0.1".to_owned(), format!("{name}.test")];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("a writable folder");
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("a writable folder");
    let trusted = folder.join(format!("{name}.pem"));
    std::fs::write(&trusted, made.cert.pem()).expect("a writable folder");
    trusted
}

fn trusts(node: &Node, certificate: &Path) -> bool {
    let url = format!("https://{}", node.endpoint("blob"));
    let seen = curl(&["--cacert", certificate.to_str().expect("a path that is text"), &url], b"");
    assert!(seen.exit == 0 || seen.exit == NOT_TRUSTED, "{seen:?}");
    seen.exit == 0
}

/// Waits until something is so; how long that takes is nobody's promise.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_certificate_is_replaced_while_the_server_runs_and_a_broken_one_is_not_taken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = certificate(folder.path(), "first");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let text = |path: &Path| path.to_str().expect("a path that is text").to_owned();
    let node = Node::start_with(&["--cert", &text(&cert), "--key", &text(&key)]);
    assert!(trusts(&node, &first));

    let second = certificate(folder.path(), "second");
    node.signal("HUP");
    eventually("SIGHUP takes the new certificate", || trusts(&node, &second));
    assert!(!trusts(&node, &first));

    std::fs::write(&key, "no key").expect("a writable folder");
    node.signal("HUP");
    eventually("a broken file is complained about", || node.logged("the old one stays") > 0);
    assert!(trusts(&node, &second));

    let third = certificate(folder.path(), "third-and-longer");
    eventually("the new files are noticed", || trusts(&node, &third));
}

#[test]
fn what_cannot_be_served_is_refused_at_the_start() {
    let node = Node::start();
    for (arguments, reason) in [
        (&["--cert", "missing.pem", "--key", "missing.key"][..], "missing.pem"),
        (&["--cert", "a.pfx", "--pwd", "secret"], "PEM"),
        (&["--cert", "a.pem"], "--key"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path().to_str().expect("a path that is text");
        let ports =
            ["--disk", folder, "--blobPort", "0", "--queuePort", "0", "--tablePort", "0", "--adminPort", "0"];
        let output = Command::new(env!("CARGO_BIN_EXE_linarite")).args(ports).args(arguments).output();
        let output = output.expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(reason) && !said.contains("secret"), "{said}");
    }
    assert!(node.fails(&["trust"]).contains("--tls"), "without TLS there is nothing to trust");
}
