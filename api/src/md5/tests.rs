//! Streams in lanes, against the `md5` crate. Lanes that stop on command stand for lanes that are busy.

use super::lockstep::{self, Run};
use super::place::{HAND_OVER_BYTES, PENDING_BYTES_MAX};
use super::{INLINE_BYTES_MAX, Lanes, Md5Stream};
use crate::checksum;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak, mpsc};
use std::thread;

const LARGE: usize = 300 << 10;

fn data(bytes: usize, seed: u8) -> Bytes {
    (0..=250).cycle().map(|byte: u8| byte.wrapping_mul(7) ^ seed).take(bytes).collect()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(future)
}

/// Hashes `data` in pieces of these lengths, over and over.
async fn hash(lanes: &Lanes, mut data: Bytes, pieces: &[usize]) -> Result<[u8; 16], super::Lost> {
    let mut stream = Md5Stream::new(None);
    stream.share(lanes);
    for piece in pieces.iter().cycle() {
        if data.is_empty() {
            break;
        }
        stream.update(data.split_to(data.len().min(*piece))).await?;
    }
    stream.flush();
    stream.finish().await
}

/// Lanes that do nothing until the gate is open.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn lanes(&self) -> Lanes {
        let gate = self.clone();
        let advance = move |runs: &mut [Run<'_>]| {
            let open = gate.0.1.wait_while(gate.0.0.lock().unwrap(), |open| !*open).unwrap();
            drop(open);
            lockstep::advance(runs)
        };
        Lanes::start_with(1, Box::new(advance))
    }
}

#[test]
fn a_small_body_is_never_handed_over() {
    let lanes = Lanes::start_with(1, Box::new(|_| panic!("nothing is to be hashed here")));
    let small = data(usize::try_from(INLINE_BYTES_MAX).unwrap(), 1);
    assert_eq!(run(hash(&lanes, small.clone(), &[1000])).unwrap(), checksum::md5(&small));
}

#[test]
fn without_a_thread_uploads_hash_for_themselves() {
    let lanes = Lanes::start_with(0, Box::new(lockstep::advance));
    let large = data(LARGE, 2);
    assert_eq!(run(hash(&lanes, large.clone(), &[70_001])).unwrap(), checksum::md5(&large));
}

#[test]
fn streams_that_wait_are_taken_side_by_side() {
    let most = Arc::new(AtomicUsize::new(0));
    let gate = Gate::default();
    let (seen, stop) = (Arc::clone(&most), gate.clone());
    let advance = move |runs: &mut [Run<'_>]| {
        drop(stop.0.1.wait_while(stop.0.0.lock().unwrap(), |open| !*open).unwrap());
        seen.fetch_max(runs.len(), Ordering::Relaxed);
        lockstep::side_by_side(runs)
    };
    let lanes = Lanes::start_with(1, Box::new(advance));
    let bodies: Vec<_> = (0..12).map(|seed| data(LARGE + usize::from(seed) * 1001, seed)).collect();
    let opened = async {
        // Polled after the others, each of which then waits for its hash.
        gate.open();
    };
    let hashes = join_all(bodies.iter().map(|body| hash(&lanes, body.clone(), &[100_000, 50_000])));
    let (sums, ()) = run(async { futures_util::future::join(hashes, opened).await });
    for (sum, body) in sums.into_iter().zip(&bodies) {
        assert_eq!(sum.unwrap(), checksum::md5(body));
    }
    assert_eq!(most.load(Ordering::Relaxed), lockstep::LANES);
}

#[test]
fn a_thread_that_has_room_is_not_helped_by_another() {
    let gate = Gate::default();
    let stop = gate.clone();
    let (entered, first_entered) = mpsc::channel();
    let advance = move |runs: &mut [Run<'_>]| {
        entered.send(thread::current().id()).unwrap();
        drop(stop.0.1.wait_while(stop.0.0.lock().unwrap(), |open| !*open).unwrap());
        lockstep::side_by_side(runs)
    };
    let lanes = Lanes::start_with(4, Box::new(advance));
    let body = data(HAND_OVER_BYTES, 8);
    let begin = || {
        let mut stream = Md5Stream::new(Some(body.len() as u64));
        stream.share(&lanes);
        stream.update(body.clone()).now_or_never().unwrap().unwrap();
        stream
    };
    let first = begin();
    let thread = first_entered.recv().unwrap();
    let others = std::iter::repeat_with(begin).take(lockstep::LANES - 1);
    let streams: Vec<_> = std::iter::once(first).chain(others).collect();
    gate.open();
    for stream in streams {
        assert_eq!(run(stream.finish()).unwrap(), checksum::md5(&body));
    }
    drop(lanes);
    assert!(first_entered.iter().all(|other| other == thread));
}

#[test]
fn an_upload_waits_rather_than_have_too_much_pending() {
    let gate = Gate::default();
    let lanes = gate.lanes();
    let body = data(PENDING_BYTES_MAX * 2 + 12_345, 3);
    let mut stream = Md5Stream::new(Some(body.len() as u64));
    stream.share(&lanes);
    let first = body.slice(..PENDING_BYTES_MAX);
    assert!(stream.update(first).now_or_never().is_some(), "there is room for all of it");
    let super::Hash::There(handed) = &stream.hash else { panic!("not handed over") };
    assert_eq!(handed.place.pending_bytes(), PENDING_BYTES_MAX);
    let place = Arc::clone(&handed.place);
    let mut rest = Box::pin(stream.update(body.slice(PENDING_BYTES_MAX..)));
    assert!(rest.as_mut().now_or_never().is_none(), "there is no room for any of it");
    assert_eq!(place.pending_bytes(), PENDING_BYTES_MAX);
    gate.open();
    run(std::future::poll_fn(|context| {
        assert!(place.pending_bytes() <= PENDING_BYTES_MAX);
        rest.poll_unpin(context)
    }))
    .unwrap();
    drop(rest);
    assert_eq!(run(stream.finish()).unwrap(), checksum::md5(&body));
}

#[test]
fn an_upload_that_is_dropped_leaves_nothing_behind() {
    let gate = Gate::default();
    let lanes = gate.lanes();
    let mut stream = Md5Stream::new(Some(1 << 30));
    stream.share(&lanes);
    let owner: Arc<[u8]> = vec![0; LARGE].into();
    let kept: Weak<[u8]> = Arc::downgrade(&owner);
    stream.update(Bytes::from_owner(owner)).now_or_never().unwrap().unwrap();
    let super::Hash::There(handed) = &stream.hash else { panic!("not handed over") };
    let place = Arc::downgrade(&handed.place);
    assert!(kept.upgrade().is_some());
    drop(stream);
    gate.open();
    let other = data(LARGE, 4);
    assert_eq!(run(hash(&lanes, other.clone(), &[9999])).unwrap(), checksum::md5(&other));
    drop(lanes);
    assert!(kept.upgrade().is_none() && place.upgrade().is_none());
}

#[test]
fn a_panic_loses_the_streams_of_its_round_and_no_others() {
    let rounds = AtomicUsize::new(0);
    let advance = move |runs: &mut [Run<'_>]| {
        assert!(rounds.fetch_add(1, Ordering::Relaxed) > 0, "the first round fails");
        lockstep::advance(runs)
    };
    let lanes = Lanes::start_with(1, Box::new(advance));
    let body = data(LARGE, 5);
    assert!(run(hash(&lanes, body.clone(), &[LARGE])).is_err());
    assert_eq!(run(hash(&lanes, body.clone(), &[LARGE])).unwrap(), checksum::md5(&body));
}

#[test]
fn an_upload_that_waits_for_room_hears_of_a_panic() {
    let gate = Gate::default();
    let stop = gate.clone();
    let advance = move |_: &mut [Run<'_>]| {
        drop(stop.0.1.wait_while(stop.0.0.lock().unwrap(), |open| !*open).unwrap());
        panic!("every round fails")
    };
    let lanes = Lanes::start_with(1, Box::new(advance));
    let mut stream = Md5Stream::new(Some(1 << 30));
    stream.share(&lanes);
    let mut update = Box::pin(stream.update(data(PENDING_BYTES_MAX + 1, 6)));
    assert!(update.as_mut().now_or_never().is_none());
    gate.open();
    assert!(run(update).is_err());
}

#[test]
fn threads_end_with_their_owner_and_uploads_hear_of_it() {
    let token = Arc::new(());
    let held = Arc::downgrade(&token);
    let advance = move |runs: &mut [Run<'_>]| {
        let _ = &token;
        lockstep::advance(runs)
    };
    let lanes = Lanes::start_with(3, Box::new(advance));
    let body = data(LARGE, 7);
    assert_eq!(run(hash(&lanes, body.clone(), &[LARGE])).unwrap(), checksum::md5(&body));
    let mut late = Md5Stream::new(Some(1 << 30));
    late.share(&lanes);
    drop(lanes);
    assert!(held.upgrade().is_some(), "the upload may still hash for itself");
    run(async {
        late.update(body.clone()).await.unwrap();
        assert_eq!(late.finish().await.unwrap(), checksum::md5(&body));
    });
    assert!(held.upgrade().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_streams_cut_anywhere_hash_as_if_alone(
        streams in prop::collection::vec(
            (0_usize..400_000, prop::collection::vec(1_usize..200_000, 1..6)),
            1..14,
        ),
    ) {
        let lanes = Arc::new(Lanes::start_with(2, Box::new(lockstep::side_by_side)));
        run(async {
            let tasks: Vec<_> = streams.into_iter().zip(0..).map(|((bytes, pieces), seed)| {
                let lanes = Arc::clone(&lanes);
                tokio::spawn(async move {
                    let body = data(bytes, seed);
                    assert_eq!(hash(&lanes, body.clone(), &pieces).await.unwrap(), checksum::md5(&body));
                })
            }).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}
