//! The house rules that a machine can check: layers, sizes, headers, and where things may be spelled.
//!
//! A rule that is not held here is not a rule. Numbers are the hard limits; what we aim at stands in
//! CONTRIBUTING.md.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use syn::spanned::Spanned;
use syn::visit::Visit;

const FILE_LINES_MAX: usize = 600;
const OPERATION_FILE_LINES_MAX: usize = 300;
const FUNCTION_LINES_MAX: usize = 70;
const EXPECTS_PER_THOUSAND_LINES_MAX: usize = 4;
const COMMENT_COLUMNS_MAX: usize = 120;

struct Source {
    path: String,
    text: String,
    /// Lines outside `#[cfg(test)]` modules.
    production: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Everything that goes into the product.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["src", "api/src", "storage-engine/src", "bench/src"] {
        walk(&root().join(folder), &mut paths);
    }
    paths.sort();
    paths.into_iter().map(|path| source(&path)).collect()
}

fn source(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let tests = text.find("\n#[cfg(test)]\nmod ").or_else(|| text.find("\n#[cfg(test)]\npub mod "));
    // A `mod tests;` in a file of its own does not end the production code.
    let end = tests.filter(|at| text[*at..].lines().nth(2).is_some_and(|line| line.ends_with('{')));
    let production = text[..end.unwrap_or(text.len())].to_owned();
    Source { path: path.strip_prefix(root()).unwrap().display().to_string(), text, production }
}

/// Fails with every line of `broken`, so that one run shows all there is to mend.
fn assert_none(rule: &str, broken: &[String]) {
    let mut list = String::new();
    for line in broken {
        let _ = write!(list, "\n  {line}");
    }
    assert!(broken.is_empty(), "{rule}:{list}");
}

/// Whether a file is only for tests: it is compiled for them alone.
fn for_tests_only(path: &str) -> bool {
    ["/faulty", "/memory", "/conformance", "/testing", "tests.rs", "/tests/", "/model"]
        .iter()
        .any(|part| path.contains(part))
}

#[test]
fn the_top_level_is_the_one_of_the_map() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "storage-engine",
        "api",
        "bench",
        "tests",
        "fixtures",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "deny.toml",
        "rust-toolchain.toml",
        "dev",
        "target",
        "linarite-data",
    ];
    let names = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let broken: Vec<_> =
        names.filter(|name| !name.starts_with('.') && !known.contains(&name.as_str())).collect();
    assert_none("not on the map of ARCHITECTURE.md", &broken);
}

#[test]
fn every_file_says_what_it_is() {
    let broken: Vec<_> =
        sources().into_iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.path).collect();
    assert_none("files without a `//!` header", &broken);
}

#[test]
fn comments_are_wrapped() {
    let mut broken = Vec::new();
    for file in sources() {
        for (number, line) in (1..).zip(file.text.lines()) {
            let comment = line.trim_start();
            // A row of a table cannot be.
            let wrapped = !comment.starts_with("//") || comment.ends_with('|');
            if !wrapped && line.chars().count() > COMMENT_COLUMNS_MAX {
                broken.push(format!("{}:{number}: at most {COMMENT_COLUMNS_MAX} columns", file.path));
            }
        }
    }
    assert_none("comments too wide", &broken);
}

#[test]
fn files_stay_small() {
    let mut broken = Vec::new();
    for file in sources() {
        let deep = file.path.starts_with("api/src/") && file.path.matches('/').count() >= 4;
        let operation = deep && !for_tests_only(&file.path);
        let limit = if operation { OPERATION_FILE_LINES_MAX } else { FILE_LINES_MAX };
        let lines = file.production.lines().filter(|line| !line.trim().is_empty()).count();
        if lines > limit {
            broken.push(format!("{}: {lines} lines, at most {limit}", file.path));
        }
    }
    assert_none("files that are too long (production lines)", &broken);
}

#[test]
fn functions_stay_small() {
    struct Lengths<'a> {
        path: &'a str,
        broken: Vec<String>,
    }
    impl Lengths<'_> {
        fn judge(&mut self, name: &syn::Ident, block: &syn::Block) {
            let lines = block.span().end().line - name.span().start().line + 1;
            if lines > FUNCTION_LINES_MAX {
                self.broken.push(format!("{}: {name}: {lines} lines", self.path));
            }
        }
    }
    impl<'ast> Visit<'ast> for Lengths<'_> {
        fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
            self.judge(&function.sig.ident, &function.block);
            syn::visit::visit_item_fn(self, function);
        }
        fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
            self.judge(&function.sig.ident, &function.block);
            syn::visit::visit_impl_item_fn(self, function);
        }
    }
    let mut broken = Vec::new();
    for file in sources() {
        let tree = syn::parse_file(&file.production).unwrap_or_else(|error| panic!("{}: {error}", file.path));
        let mut lengths = Lengths { path: &file.path, broken: Vec::new() };
        lengths.visit_file(&tree);
        broken.extend(lengths.broken);
    }
    assert_none("functions over the limit", &broken);
}

#[test]
fn expects_are_rare() {
    let mut broken = Vec::new();
    for krate in ["src", "api/src", "storage-engine/src"] {
        let files: Vec<_> =
            sources().into_iter().filter(|f| f.path.starts_with(krate) && !for_tests_only(&f.path)).collect();
        let lines: usize = files.iter().map(|file| file.production.lines().count()).sum();
        let expects: usize = files.iter().map(|file| file.production.matches(".expect(").count()).sum();
        if expects * 1000 > EXPECTS_PER_THOUSAND_LINES_MAX * lines {
            broken.push(format!("{krate}: {expects} in {lines} lines"));
        }
    }
    assert_none("too many `expect`", &broken);
}

#[test]
fn layers_know_only_what_is_below_them() {
    let mut broken = Vec::new();
    let manifest = |krate: &str| fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
    let engine = manifest("storage-engine");
    for forbidden in ["http", "hyper", "tokio", "xml", "serde_json", "axum", "tower"] {
        if engine.lines().any(|line| line.starts_with(forbidden) || line.contains(&format!("-{forbidden}"))) {
            broken.push(format!("storage-engine depends on {forbidden}"));
        }
    }
    if manifest("bench").contains("linarite-api") || manifest("bench").contains("api.workspace") {
        broken.push("bench depends on api: it must sign with code of its own".to_owned());
    }
    for file in sources() {
        let denied: &[(&str, &str)] = &[
            ("api/src/", "std::fs"),
            ("api/src/", "std::net::Tcp"),
            ("api/src/", "tokio::net"),
            ("storage-engine/src/chunk", "crate::blob"),
            ("storage-engine/src/chunk", "crate::queue"),
            ("storage-engine/src/chunk", "crate::table"),
            ("storage-engine/src/meta", "crate::blob"),
            ("storage-engine/src/meta", "crate::queue"),
            ("storage-engine/src/meta", "crate::table"),
            ("storage-engine/src/disk", "crate::chunk"),
            ("storage-engine/src/disk", "crate::meta"),
        ];
        for (layer, word) in denied {
            if file.path.starts_with(layer) && file.production.contains(word) {
                broken.push(format!("{} names {word}", file.path));
            }
        }
    }
    assert_none("a layer that knows one beside or above it", &broken);
}

/// Blobs have floors of their own: see the table in `storage-engine/src/blob.rs`.
#[test]
fn verbs_of_blobs_know_what_is_below_them() {
    let floors: &[&[&str]] = &[
        &["record"],
        &["state"],
        &["rule"],
        &["write", "page", "read", "container", "journal"],
        &["background"],
    ];
    let mut broken = Vec::new();
    for file in sources().into_iter().filter(|file| !for_tests_only(&file.path)) {
        let Some(path) = file.path.strip_prefix("storage-engine/src/blob/") else { continue };
        let module = path.split(['/', '.']).next().unwrap();
        let floor = floors.iter().position(|floor| floor.contains(&module));
        let Some(floor) = floor else {
            broken.push(format!("{}: on no floor", file.path));
            continue;
        };
        let up = if path.contains('/') { "crate::blob::" } else { "super::" };
        let code = file.production.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join(" ");
        for path in code.split(up).skip(1) {
            // A list in braces may name several modules; any other path names its first.
            let ends: &[char] = if path.starts_with('{') { &['}'] } else { &[':', ';', '(', ' '] };
            let words = path.split(ends).next().unwrap().split(|letter: char| !letter.is_alphanumeric());
            let named: Vec<_> = words.collect();
            let above = floors.iter().skip(floor + 1).flat_map(|floor| floor.iter());
            broken.extend(
                above
                    .filter(|above| named.contains(above))
                    .map(|above| format!("{} names {above}", file.path)),
            );
        }
    }
    assert_none("a module of blobs that knows one above it", &broken);
}

#[test]
fn what_has_one_home_is_nowhere_else() {
    let homes: &[(&str, &[&str])] = &[
        ("rocksdb::", &["storage-engine/src/meta"]),
        (
            "std::fs",
            &["storage-engine/src/disk/local", "src/config.rs", "src/files.rs", "bench/src/growth.rs"],
        ),
        ("SystemTime::now", &["storage-engine/src/clock.rs", "bench/src"]),
        ("x-ms-", &["api/src/header.rs", "api/src/error/codes.rs", "bench/src"]),
    ];
    let mut broken = Vec::new();
    for file in sources().into_iter().filter(|file| !for_tests_only(&file.path)) {
        for (word, allowed) in homes {
            let code = file.production.lines().filter(|line| !line.trim_start().starts_with("//"));
            let named = code.filter(|line| line.contains(word)).count();
            if named > 0 && !allowed.iter().any(|home| file.path.starts_with(home)) {
                broken.push(format!(
                    "{}: {word} ({named} lines), whose home is {}",
                    file.path,
                    allowed.join(", ")
                ));
            }
        }
    }
    assert_none("spelled away from home", &broken);
}

#[test]
fn the_mapping_of_engine_errors_has_no_wildcard() {
    let file = source(&root().join("api/src/error/from_engine.rs"));
    assert!(!file.production.contains("_ =>"), "a wildcard arm hides the next variant");
}

#[test]
fn no_work_is_left_marked_as_such() {
    let marks = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("];
    let mut broken = Vec::new();
    for file in sources() {
        for mark in marks.iter().filter(|mark| file.text.contains(**mark)) {
            broken.push(format!("{}: {mark}", file.path));
        }
    }
    assert_none("unfinished", &broken);
}
