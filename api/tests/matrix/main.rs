//! Every operation with every kind of credentials, right and wrong in every way: who gets in and who does not, and in
//! which words.
//!
//! A request is made of the row's own columns, so a new row is tried by itself. What it is to be answered says the
//! table of rights (`fixtures/auth/matrix/rights.txt`), typed from the vendor's pages; a row of which it knows nothing
//! fails. *Let in* means that whatever is answered is no refusal: most of the requests ask for what is not there.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod account_signatures;
mod anonymous;
mod delegated_signatures;
mod keys;
mod requests;
mod rights;
mod service_signatures;
mod shapes;
mod sign;
mod terms;
mod tokens;
mod world;

use api::operation::Access;
use requests::{Fact, Unsigned, facts};
use rights::{Refusal, Right, Rights};
use world::World;

/// What was tried and what came out wrong.
pub(crate) struct Matrix {
    pub(crate) world: World,
    rights: Rights,
    tried: usize,
    wrong: Vec<String>,
}

impl Matrix {
    pub(crate) fn new() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/auth/matrix/rights.txt");
        let rights = Rights::read(&std::fs::read_to_string(file).unwrap());
        Self { world: World::new(), rights, tried: 0, wrong: Vec::new() }
    }

    fn right(&self, fact: &Fact) -> Right {
        self.rights.of(fact.service, &format!("{:?}", fact.level), &format!("{:?}", fact.access)).clone()
    }

    /// Sends a request and compares. What is open is open whatever is sent along.
    pub(crate) fn expect(
        &mut self,
        fact: &Fact,
        with: &str,
        request: http::Request<()>,
        secure: bool,
        expected: Refusal,
    ) {
        let expected = if fact.access == Access::Open { None } else { expected };
        let shown = format!("{} {}", request.method(), request.uri());
        let answer = self.world.send(fact.service, request, "", secure);
        self.tried += 1;
        if (answer.operation, answer.refusal()) != (fact.name, expected) {
            let (operation, status, code) = (answer.operation, answer.status, &answer.code);
            self.wrong.push(format!(
                "{} ({}), {with}: {operation} {status} {code}, not {expected:?}; {shown}",
                fact.name, fact.method
            ));
        }
    }

    /// Sends a request with a signature in its address.
    pub(crate) fn expect_signed(
        &mut self,
        fact: &Fact,
        with: &str,
        unsigned: &Unsigned,
        signature: &str,
        expected: Refusal,
    ) {
        self.expect(fact, with, unsigned.build(signature), false, expected);
    }

    /// Fails if anything came out wrong, or if nothing was tried.
    pub(crate) fn end(self, least: usize) {
        let shown = self.wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.wrong.is_empty(), "{} of {}:\n{shown}", self.wrong.len(), self.tried);
        assert!(self.tried >= least, "only {} were tried", self.tried);
    }
}

/// Every row that can be asked for with credentials, and what it takes.
pub(crate) fn guarded(matrix: &Matrix) -> Vec<(Fact, Right)> {
    let guarded = facts().into_iter().filter(|fact| fact.access != Access::Open);
    guarded.map(|fact| (fact, matrix.right(&fact))).collect()
}
