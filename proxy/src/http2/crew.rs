//! HOT. The futures of a connection's streams, driven by the connection's own task: those that were
//! woken are polled together, and what they have to say leaves together.
//!
//! A task for each stream would do as well, and cost an allocation, a trip through the scheduler, and a
//! write for each response.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crate::watch::Watch;

/// How one future after the other is polled before others than this connection have their turn.
const ROUNDS: usize = 4;
/// Places that are kept when nobody is in them.
const KEPT: usize = 4;

/// Futures, each with the deadlines of its stream.
pub(super) struct Crew<F> {
    places: Vec<Place<F>>,
    free: Vec<usize>,
    busy: usize,
    most: usize,
    board: Arc<Board>,
    engine: Waker,
}

struct Place<F> {
    future: Pin<Box<Option<F>>>,
    watch: Option<Rc<Watch>>,
    waker: Waker,
}

/// Who was woken: one bit each, the first is the engine's.
struct Board {
    bits: Box<[AtomicU64]>,
    /// Whose task to wake for that.
    task: Mutex<Option<Waker>>,
    /// The task is looking: it need not be woken.
    looking: AtomicBool,
}

struct Flag {
    board: Arc<Board>,
    bit: usize,
}

/// What came of a turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Somebody was polled.
    pub(super) ran: bool,
    /// Futures that ended with `true`.
    pub(super) whole: u32,
    /// The earliest moment at which one of those polled must be looked at.
    pub(super) look: Option<Instant>,
}

impl Board {
    fn wake(&self, bit: usize) {
        if let Some(word) = self.bits.get(bit / 64) {
            word.fetch_or(1 << (bit % 64), SeqCst);
        }
        if !self.looking.load(SeqCst) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(task) = &*task {
                task.wake_by_ref();
            }
        }
    }

    fn is_woken(&self) -> bool {
        self.bits.iter().any(|word| word.load(SeqCst) != 0)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.board.wake(self.bit);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.board.wake(self.bit);
    }
}

impl<F: Future<Output = bool>> Crew<F> {
    /// For at most so many futures.
    pub(super) fn new(most: usize) -> Self {
        let board = Arc::new(Board {
            bits: (0..most / 64 + 1).map(|_| AtomicU64::new(0)).collect(),
            task: Mutex::new(None),
            looking: AtomicBool::new(false),
        });
        let flag = |bit| {
            let board = Arc::clone(&board);
            Waker::from(Arc::new(Flag { board, bit }))
        };
        let engine = flag(0);
        engine.wake_by_ref();
        Self {
            places: Vec::new(),
            free: Vec::new(),
            busy: 0,
            most,
            board,
            engine,
        }
    }

    /// How the engine is woken.
    pub(super) fn engine(&self) -> Waker {
        self.engine.clone()
    }

    /// Whether the engine was woken since it was last asked.
    pub(super) fn take_engine(&self) -> bool {
        self.board.bits[0].fetch_and(!1, SeqCst) & 1 != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.busy == 0
    }

    /// Whether one more has room.
    pub(super) fn has_room(&self) -> bool {
        self.busy < self.most
    }

    /// Takes one in; it is polled at the next turn.
    pub(super) fn add(&mut self, future: F, watch: Rc<Watch>) {
        let at = self.free.pop().unwrap_or_else(|| {
            let flag = Flag {
                board: Arc::clone(&self.board),
                bit: self.places.len() + 1,
            };
            self.places.push(Place {
                future: Box::pin(None),
                watch: None,
                waker: Waker::from(Arc::new(flag)),
            });
            self.places.len() - 1
        });
        let place = &mut self.places[at];
        place.future.as_mut().set(Some(future));
        place.watch = Some(watch);
        self.busy += 1;
        self.board.bits[(at + 1) / 64].fetch_or(1 << ((at + 1) % 64), SeqCst);
    }

    /// Begins to look: who is woken from now on is seen by [`turn`](Self::turn), not told.
    pub(super) fn look(&self, cx: &Context<'_>) {
        let mut task = self
            .board
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(|task| !task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        drop(task);
        self.board.looking.store(true, SeqCst);
    }

    /// Looks no more; whoever was woken and not polled brings the task back.
    pub(super) fn look_away(&self, cx: &Context<'_>) {
        self.board.looking.store(false, SeqCst);
        if self.board.is_woken() {
            cx.waker().wake_by_ref();
        }
    }

    /// Polls those that were woken, and those that they woke, for some rounds.
    pub(super) fn turn(&mut self) -> Turn {
        let mut turn = Turn::default();
        for _ in 0..ROUNDS {
            let mut ran = false;
            for word in 0..self.board.bits.len() {
                ran |= self.turn_word(word, &mut turn);
            }
            turn.ran |= ran;
            if !ran {
                break;
            }
        }
        if self.busy == 0 && self.places.len() > KEPT {
            self.places.truncate(KEPT);
            self.free.retain(|at| *at < KEPT);
        }
        turn
    }

    fn turn_word(&mut self, word: usize, turn: &mut Turn) -> bool {
        let engine = u64::from(word == 0);
        let mut woken = self.board.bits[word].fetch_and(engine, SeqCst) & !engine;
        let ran = woken != 0;
        while woken != 0 {
            let bit = woken.trailing_zeros() as usize;
            woken &= woken - 1;
            self.poll(word * 64 + bit - 1, turn);
        }
        ran
    }

    fn poll(&mut self, at: usize, turn: &mut Turn) {
        let Some(place) = self.places.get_mut(at) else {
            return;
        };
        let Some(future) = place.future.as_mut().as_pin_mut() else {
            return;
        };
        match future.poll(&mut Context::from_waker(&place.waker)) {
            Poll::Ready(whole) => {
                place.future.as_mut().set(None);
                place.watch = None;
                self.free.push(at);
                self.busy -= 1;
                turn.whole += u32::from(whole);
            }
            Poll::Pending => {
                let look = place.watch.as_ref().map(|watch| watch.look());
                turn.look = match (turn.look, look) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
    }

    /// The timer fired: who is due is woken. Gives the moment of the next look.
    pub(super) fn fired(&self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for (at, place) in self.places.iter().enumerate() {
            let Some(watch) = &place.watch else { continue };
            watch.fired(now);
            if watch.ignored() {
                self.board.bits[(at + 1) / 64].fetch_or(1 << ((at + 1) % 64), SeqCst);
            }
            next = [next, Some(watch.look())].into_iter().flatten().min();
        }
        next
    }

    /// The client is gone: every future is told, and polled until it has ended, or has no more to do.
    pub(super) fn dismiss(&mut self) {
        for (at, place) in self.places.iter().enumerate() {
            if let Some(watch) = &place.watch {
                watch.leave_alone();
                self.board.bits[(at + 1) / 64].fetch_or(1 << ((at + 1) % 64), SeqCst);
            }
        }
        self.turn();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use std::cell::RefCell;
    use std::future::poll_fn;

    type Boxed = Pin<Box<dyn Future<Output = bool>>>;

    fn watch() -> Rc<Watch> {
        Rc::new(Watch::new(Instant::now(), &Settings::default()))
    }

    struct Count(AtomicU64);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn only_who_was_woken_is_polled_and_places_are_used_again() {
        let mut crew: Crew<Boxed> = Crew::new(200);
        let polled: Rc<RefCell<Vec<usize>>> = Rc::default();
        let wakers: Rc<RefCell<Vec<Option<Waker>>>> = Rc::new(RefCell::new(vec![None; 200]));
        let member = |name: usize| -> Boxed {
            let (polled, wakers) = (Rc::clone(&polled), Rc::clone(&wakers));
            let mut times = 0;
            Box::pin(poll_fn(move |cx| {
                polled.borrow_mut().push(name);
                wakers.borrow_mut()[name] = Some(cx.waker().clone());
                times += 1;
                if times == 2 {
                    Poll::Ready(true)
                } else {
                    Poll::Pending
                }
            }))
        };
        for name in 0..130 {
            crew.add(member(name), watch());
        }
        assert!(crew.turn().ran);
        assert_eq!(polled.take(), (0..130).collect::<Vec<_>>());
        assert!(!crew.turn().ran);
        for name in [3, 63, 64, 129] {
            wakers.borrow()[name].as_ref().unwrap().wake_by_ref();
        }
        assert_eq!(crew.turn().whole, 4);
        assert_eq!(polled.take(), [3, 63, 64, 129]);
        crew.add(member(150), watch());
        crew.turn();
        assert_eq!(polled.take(), [150]);
        assert_eq!(crew.places.len(), 130);
    }

    #[test]
    fn the_task_is_woken_once_it_has_looked_away() {
        let crew: Crew<Boxed> = Crew::new(1);
        assert!(crew.take_engine() && !crew.take_engine());
        let count = Arc::new(Count(AtomicU64::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        crew.look(&cx);
        crew.engine().wake();
        assert_eq!(count.0.load(SeqCst), 0);
        crew.look_away(&cx);
        assert_eq!(count.0.load(SeqCst), 1);
        assert!(crew.take_engine());
        crew.engine().wake();
        assert_eq!(count.0.load(SeqCst), 2);
    }

    #[test]
    fn who_wakes_itself_again_and_again_does_not_hold_up_others() {
        let mut crew: Crew<Boxed> = Crew::new(1);
        let eager = poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<bool>::Pending
        });
        crew.add(Box::pin(eager), watch());
        assert!(crew.turn().ran);
        assert!(crew.board.is_woken());
    }
}
