//! A transport that fails as networks do, between a device and a real relay.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use wardline_org::{Request, Response, Transport, TransportError, transport::RelayCall};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not reach the relay.
    Unreachable,
    /// The relay carries it out; the answer is lost.
    AnswerLost,
    /// It reaches the relay twice, as a confused proxy would send it.
    Twice,
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
    calls: AtomicU64,
    methods: Mutex<Vec<String>>,
}

/// Changes what a relay answers to the call of this path.
type Meddling = Box<dyn FnMut(&str, Response) -> Response + Send>;

#[derive(Default)]
struct Plan {
    offline: bool,
    /// Out of a hundred calls, how many meet each fault.
    rates: Vec<(Fault, u64)>,
    random: u64,
}

impl Faults {
    pub fn new(behind: Arc<dyn Transport>) -> Self {
        Self {
            behind,
            plan: Mutex::default(),
            meddling: Mutex::default(),
            calls: AtomicU64::new(0),
            methods: Mutex::default(),
        }
    }

    /// No call comes through.
    pub fn cut(&self) {
        self.plan.lock().unwrap().offline = true;
    }

    /// Calls come through again.
    pub fn mend(&self) {
        let mut plan = self.plan.lock().unwrap();
        plan.offline = false;
        plan.rates.clear();
    }

    /// From now on calls meet these faults, each in so many calls of a hundred, by this seed.
    pub fn set(&self, rates: &[(Fault, u64)], seed: u64) {
        let mut plan = self.plan.lock().unwrap();
        plan.rates = rates.to_vec();
        plan.random = seed | 1;
    }

    /// From now on the relay is hostile: every answer to this call is changed before it arrives.
    pub fn meddle<C: RelayCall>(&self, mut change: impl FnMut(&mut C::Answer) + Send + 'static) {
        let meddling: Meddling = Box::new(move |path, answer| {
            if answer.status != 200 || !path.ends_with(&format!("/{}", C::METHOD)) {
                return answer;
            }
            let mut message = answer.decode::<C>().unwrap();
            change(&mut message);
            Response::ok(&message)
        });
        *self.meddling.lock().unwrap() = Some(meddling);
    }

    /// The relay is honest again.
    pub fn relent(&self) {
        *self.meddling.lock().unwrap() = None;
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// The methods that were called, in order.
    pub fn methods(&self) -> Vec<String> {
        self.methods.lock().unwrap().clone()
    }

    fn next(&self) -> (Option<Fault>, u64) {
        let mut plan = self.plan.lock().unwrap();
        if plan.offline {
            return (Some(Fault::Unreachable), 0);
        }
        let mut dice = plan.roll() % 100;
        let place = plan.roll();
        for (fault, rate) in &plan.rates {
            if dice < *rate {
                return (Some(*fault), place);
            }
            dice -= rate;
        }
        (None, place)
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
        let (fault, place) = self.next();
        if fault == Some(Fault::Unreachable) {
            return Err(TransportError::Unreachable);
        }
        let path = request.path.clone();
        let method = path.rsplit('/').next().unwrap_or_default().to_owned();
        self.methods.lock().unwrap().push(method);
        let mut answer = self.behind.call(request.clone()).await?;
        if let Some(meddling) = self.meddling.lock().unwrap().as_mut() {
            answer = meddling(&path, answer);
        }
        match fault {
            Some(Fault::AnswerLost) => return Err(TransportError::Interrupted),
            Some(Fault::Twice) => answer = self.behind.call(request).await?,
            Some(Fault::Truncated) => {
                let length = usize::try_from(place).unwrap_or(0) % answer.body.len().max(1);
                answer.body.truncate(length);
            }
            Some(Fault::BitFlipped) if !answer.body.is_empty() => {
                let mut body = answer.body.to_vec();
                let place = usize::try_from(place).unwrap_or(0);
                let length = body.len();
                body[place / 8 % length] ^= 1 << (place % 8);
                answer.body = body.into();
            }
            _ => {}
        }
        Ok(answer)
    }
}
