//! A network that fails as networks do, between a device and its relay: for tests.
//!
//! Everything follows from a seed, so that a run can be repeated. It is a [`Transport`] in front of
//! another one; what a *hostile* relay answers is put in by [`Faults::meddle`].

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Notify;
use wardline_org::{
    Refusal, RelayCode, Request, Response, Transport, TransportError, transport::RelayCall,
};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It does not reach the relay.
    Unreachable,
    /// The relay carries it out; the answer is lost.
    AnswerLost,
    /// It reaches the relay twice, as a confused proxy would send it.
    Twice,
    /// It is overtaken by the next call (or waits for a moment, when there is none).
    Overtaken,
    /// The answer ends early.
    Truncated,
    /// A bit of the answer is flipped.
    BitFlipped,
}

/// Carries calls to the relay behind it, and mistreats them as told.
pub struct Faults {
    behind: Arc<dyn Transport>,
    plan: Mutex<Plan>,
    meddling: Mutex<Option<Meddling>>,
    refusing: Mutex<Option<Refusing>>,
    calls: AtomicU64,
    methods: Mutex<Vec<String>>,
    passed: Notify,
}

/// Changes what a relay answers to the call of this path.
type Meddling = Box<dyn FnMut(&str, Response) -> Response + Send>;

/// Answers a call in the relay's place.
type Refusing = Box<dyn FnMut(&Request) -> Option<Response> + Send>;

#[derive(Default)]
struct Plan {
    offline: bool,
    /// Out of a hundred calls, how many meet each fault.
    rates: Vec<(Fault, u64)>,
    /// The shortest and the longest a call is held up.
    delay: Option<(Duration, Duration)>,
    random: u64,
}

/// What a call meets.
#[derive(Clone, Copy)]
struct Fate {
    fault: Option<Fault>,
    place: u64,
    delay: Duration,
}

impl Faults {
    /// A network without faults to the relay behind.
    pub fn new(behind: Arc<dyn Transport>) -> Self {
        Self {
            behind,
            plan: Mutex::default(),
            meddling: Mutex::default(),
            refusing: Mutex::default(),
            calls: AtomicU64::new(0),
            methods: Mutex::default(),
            passed: Notify::new(),
        }
    }

    /// No call comes through.
    pub fn cut(&self) {
        self.plan().offline = true;
    }

    /// Calls come through again, and meet nothing.
    pub fn mend(&self) {
        let mut plan = self.plan();
        plan.offline = false;
        plan.rates.clear();
        plan.delay = None;
    }

    /// From now on calls meet these faults, each in so many calls of a hundred, by this seed.
    pub fn set(&self, rates: &[(Fault, u64)], seed: u64) {
        let mut plan = self.plan();
        plan.rates = rates.to_vec();
        plan.random = seed | 1;
    }

    /// From now on every call is held up for a time in this range.
    pub fn delay(&self, shortest: Duration, longest: Duration) {
        let mut plan = self.plan();
        plan.delay = Some((shortest, longest.max(shortest)));
        plan.random |= 1;
    }

    /// From now on the relay is hostile: every answer to this call is changed before it arrives.
    pub fn meddle<C: RelayCall>(&self, mut change: impl FnMut(&mut C::Answer) + Send + 'static) {
        let meddling: Meddling = Box::new(move |path, answer| {
            if answer.status != 200 || !path.ends_with(&format!("/{}", C::METHOD)) {
                return answer;
            }
            match answer.clone().decode::<C>() {
                Ok(mut message) => {
                    change(&mut message);
                    Response::ok(&message)
                }
                Err(_) => answer,
            }
        });
        *self.meddling() = Some(meddling);
    }

    /// From now on the relay refuses every call of this method that `picks` answers `true` for; it does not
    /// carry them out.
    pub fn refuse<C: RelayCall>(
        &self,
        code: RelayCode,
        mut picks: impl FnMut(C) -> bool + Send + 'static,
    ) {
        let refusal: Refusing = Box::new(move |request| {
            let picked = request.path.ends_with(&format!("/{}", C::METHOD))
                && C::decode(request.body.clone()).is_ok_and(&mut picks);
            picked.then(|| Refusal::new(code.clone()).to_response())
        });
        *self.refusing() = Some(refusal);
    }

    /// From now on every call is answered with this refusal; none is carried out.
    pub fn refuse_all(&self, refusal: Refusal) {
        let answer = refusal.to_response();
        *self.refusing() = Some(Box::new(move |_| Some(answer.clone())));
    }

    /// The relay is honest again.
    pub fn relent(&self) {
        *self.meddling() = None;
        *self.refusing() = None;
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// The methods of the calls that reached the relay, in order.
    pub fn methods(&self) -> Vec<String> {
        self.reached().clone()
    }

    fn fate(&self) -> Fate {
        let mut plan = self.plan();
        let mut fate = Fate {
            fault: None,
            place: 0,
            delay: Duration::ZERO,
        };
        if plan.offline {
            fate.fault = Some(Fault::Unreachable);
            return fate;
        }
        let mut dice = plan.roll() % 100;
        fate.place = plan.roll();
        if let Some((shortest, longest)) = plan.delay {
            let range = u64::try_from((longest - shortest).as_millis()).unwrap_or(u64::MAX);
            fate.delay = shortest + Duration::from_millis(plan.roll() % range.saturating_add(1));
        }
        for (fault, rate) in &plan.rates {
            if dice < *rate {
                fate.fault = Some(*fault);
                break;
            }
            dice -= rate;
        }
        fate
    }

    /// Lets another call pass, and waits for at most a moment.
    async fn fall_back(&self) {
        let passed = self.passed.notified();
        // Nobody may come: then it was the last call anyway.
        let _ = tokio::time::timeout(OVERTAKING, passed).await;
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reached(&self) -> MutexGuard<'_, Vec<String>> {
        self.methods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusing(&self) -> MutexGuard<'_, Option<Refusing>> {
        self.refusing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meddling(&self) -> MutexGuard<'_, Option<Meddling>> {
        self.meddling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// xorshift64: repeatable from its seed, and nothing more is asked of it.
    fn roll(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

#[async_trait]
impl Transport for Faults {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let Fate {
            fault,
            place,
            delay,
        } = self.fate();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match fault {
            Some(Fault::Unreachable) => return Err(TransportError::Unreachable),
            Some(Fault::Overtaken) => self.fall_back().await,
            _ => {}
        }
        let path = request.path.clone();
        let method = path.rsplit('/').next().unwrap_or_default();
        self.reached().push(method.to_owned());
        let refused = self.refusing().as_mut().and_then(|refuse| refuse(&request));
        if let Some(refused) = refused {
            return Ok(refused);
        }
        let mut answer = self.behind.call(request.clone()).await?;
        self.passed.notify_waiters();
        if let Some(meddling) = self.meddling().as_mut() {
            answer = meddling(&path, answer);
        }
        match fault {
            Some(Fault::AnswerLost) => return Err(TransportError::Interrupted),
            Some(Fault::Twice) => answer = self.behind.call(request).await?,
            Some(Fault::Truncated) => {
                let length = usize::try_from(place).unwrap_or(0) % answer.body.len().max(1);
                answer.body.truncate(length);
            }
            Some(Fault::BitFlipped) => answer.body = flip(&answer.body, place).into(),
            _ => {}
        }
        Ok(answer)
    }
}

fn flip(body: &[u8], place: u64) -> Vec<u8> {
    let mut body = body.to_vec();
    let byte = usize::try_from(place / 8).unwrap_or(0) % body.len().max(1);
    if let Some(byte) = body.get_mut(byte) {
        *byte ^= 1 << (place % 8);
    }
    body
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults")
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

/// How long a call waits to be overtaken.
const OVERTAKING: Duration = Duration::from_millis(500);
