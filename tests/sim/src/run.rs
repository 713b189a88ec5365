//! One run: a store, its tills, its computer and its shop, from one seed, day after day, compared at quiet moments.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use faulty_vfs::{Disk, Faults};
use sync_core::retry::RetryLimits;
use tillsync::platform::transport::{HttpClient, ProxyChoice, TransportSettings, client};
use tillsync::secret::SecretRef;

use crate::agent::{Agent, Setup, look};
use crate::dice::Dice;
use crate::shop::{Class, Front, Weather};
use crate::tally::Tally;
use crate::till::{Changed, Pos};
use crate::time::SimTime;
use crate::trace;
use crate::verdict::{self, Finding};

const DAY: Duration = Duration::from_hours(24);
/// Longest that everything may take to arrive once nothing is in its way: a key's window, its settling, and a clock
/// that was ahead.
const QUIET_MAX: Duration = Duration::from_hours(72);
/// Moments of a run at most: more means that time stands still.
const MOMENTS_MAX: u64 = 50_000_000;

/// What runs share.
pub struct Shared {
    http: HttpClient,
    token: SecretRef,
    /// Holds the token; removed at the end.
    _file: TokenFile,
}

struct TokenFile(PathBuf);

impl Drop for TokenFile {
    fn drop(&mut self) {
        // It holds no secret; a file that stays behind does no harm.
        let _gone = std::fs::remove_file(&self.0);
    }
}

impl Shared {
    /// Prepares this process for runs.
    ///
    /// # Errors
    /// If the file system in memory is refused, or the shop's token cannot be written.
    pub fn new() -> anyhow::Result<Self> {
        faulty_vfs::install()?;
        tillsync::connect::install_tls();
        let http = client(&TransportSettings { proxy: ProxyChoice::Direct, ..TransportSettings::default() })?;
        let path = std::env::temp_dir().join(format!("tillsync-sim-{}.token", std::process::id()));
        std::fs::write(&path, "test-token").context("cannot write the token of the simulated shop")?;
        let token = SecretRef::parse(&format!("file:{}", path.display()))?;
        Ok(Self { http, token, _file: TokenFile(path) })
    }
}

/// What a run is given.
pub struct Given<'a> {
    /// All that is left to chance.
    pub seed: u64,
    /// How long.
    pub days: u64,
    /// See [`Shared`].
    pub shared: &'a Shared,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What happened.
    pub tally: Tally,
    /// What was wrong, and on which day; the run ended there.
    pub finding: Option<(u64, Finding)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ticket,
    Change,
    ReadAgain,
    Order,
    Outage(Duration),
    Down(Duration),
    Refused(Duration),
    Clock(i64),
    Unlist(usize),
    List(usize),
    Kill,
    PowerCut,
    /// After so many further writes.
    CutSoon(u64),
    Restart,
    Start,
}

/// How wild a run is; drawn once.
struct Temper {
    tickets_a_day: (u64, u64),
    trouble: u64,
    faults: Faults,
    /// Days in a thousand with each of the rarer events.
    crashes: u64,
    outages: u64,
    orders_a_day: u64,
    compare_every: u64,
}

struct World {
    setup: Setup,
    agent: Option<Agent>,
    pos: Pos,
    dice: Dice,
    temper: Temper,
    tally: Tally,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    next_event: u64,
    moments: u64,
    /// Why the agent did not start the last time that it did not.
    start_refused: String,
}

/// Runs a seed.
///
/// # Errors
/// What keeps the simulation itself from running; what the agent does wrong is a [`Finding`].
pub fn run(given: &Given<'_>) -> anyhow::Result<Outcome> {
    tillsync::writer::seed_jitter(given.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let mut world = World::new(given);
        let finding = world.live(given.days).await?;
        let mut tally = world.tally.clone();
        world.setup.front.tell(&mut tally);
        tally.disk(&world.setup.disk.counters());
        Ok(Outcome { tally, finding })
    })
}

impl World {
    fn new(given: &Given<'_>) -> Self {
        let mut dice = Dice::new(given.seed);
        let class = Class::ALL.get(dice.index(Class::ALL.len())).copied().unwrap_or(Class::Keyed);
        let time = SimTime::begin();
        let articles = usize::try_from(dice.between(20, 60)).unwrap_or(20);
        let on_shelf: Vec<i64> = (0..articles).map(|_| i64::try_from(dice.between(60, 200)).unwrap_or(60)).collect();
        let front = Front::new(class, on_shelf.clone(), dice.fork(), time.clone());
        let setup = Setup {
            disk: Disk::new(dice.next()),
            time,
            front,
            http: given.shared.http.clone(),
            token: given.shared.token.clone(),
            epoch: format!("{:032x}", u128::from(dice.next())),
            retry: RetryLimits { first: Duration::from_millis(500), max: Duration::from_mins(10) },
        };
        let registers = usize::try_from(dice.between(1, 3)).unwrap_or(1);
        let temper = Temper::draw(&mut dice);
        let mut tally = Tally::default();
        tally.fault(class.name());
        Self {
            setup,
            agent: None,
            pos: Pos::new(registers, on_shelf),
            dice,
            temper,
            tally,
            events: BinaryHeap::new(),
            next_event: 0,
            moments: 0,
            start_refused: String::new(),
        }
    }

    async fn live(&mut self, days: u64) -> anyhow::Result<Option<(u64, Finding)>> {
        self.start();
        for day in 0..days {
            self.setup.disk.set_faults(self.temper.faults);
            self.plan_day();
            let evening = self.setup.time.elapsed() + DAY;
            self.until(evening).await.with_context(|| format!("on day {day}"))?;
            self.tally.store_days += 1;
            if (day + 1) % self.temper.compare_every == 0 || day + 1 == days {
                if let Some(finding) = self.compare().await.with_context(|| format!("on day {day}"))? {
                    return Ok(Some((day, finding)));
                }
            }
        }
        Ok(None)
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.next_event += 1;
        self.events.push(Reverse((self.setup.time.elapsed() + after, self.next_event, event)));
    }

    /// A moment of the opening hours, by hours of rush.
    fn open(&mut self) -> Duration {
        let rush = self.dice.between(9, 19);
        Duration::from_hours(rush) + self.dice.millis(0, 2_400_000)
    }

    fn any(&mut self) -> Duration {
        self.dice.millis(0, 86_000_000)
    }

    fn plan_day(&mut self) {
        let (least, most) = self.temper.tickets_a_day;
        for _ in 0..self.dice.between(least, most) {
            let at = self.open();
            self.at(at, Event::Ticket);
        }
        if self.dice.per_mille(500) {
            let at = self.open();
            self.at(at, Event::Change);
        }
        if self.dice.per_mille(60) {
            let at = self.open();
            self.at(at, Event::ReadAgain);
        }
        for _ in 0..self.dice.below(self.temper.orders_a_day + 1) {
            let at = self.any();
            self.at(at, Event::Order);
        }
        self.plan_trouble();
        self.plan_crashes();
    }

    fn plan_trouble(&mut self) {
        let weather = Weather { trouble: self.trouble_today(), ..self.setup.front.weather() };
        self.setup.front.set_weather(weather);
        if self.dice.per_mille(self.temper.outages) {
            let (at, long) = (self.any(), self.dice.per_mille(150));
            let span = if long { self.dice.millis(7_200_000, 200_000_000) } else { self.dice.millis(5_000, 7_200_000) };
            let event = match self.dice.below(4) {
                0 => Event::Down(span),
                1 => Event::Refused(span / 4),
                _ => Event::Outage(span),
            };
            self.at(at, event);
        }
        if self.dice.per_mille(15) {
            let hours = i64::try_from(self.dice.between(1, 30)).unwrap_or(1);
            let ahead = self.dice.per_mille(400);
            let micros = if ahead { hours.min(3) * 3_600_000_000 } else { -hours * 3_600_000_000 };
            let (at, back) = (self.any(), self.any());
            self.at(at, Event::Clock(micros));
            self.at(at + back / 4, Event::Clock(0));
        }
        if self.dice.per_mille(20) {
            let article = self.dice.index(self.pos.on_shelf().len());
            let (at, back) = (self.any(), self.any());
            self.at(at, Event::Unlist(article));
            self.at(at + back, Event::List(article));
        }
    }

    fn trouble_today(&mut self) -> u64 {
        match self.dice.below(10) {
            0..=4 => 0,
            5..=7 => self.temper.trouble / 4,
            _ => self.temper.trouble,
        }
    }

    fn plan_crashes(&mut self) {
        if !self.dice.per_mille(self.temper.crashes) {
            return;
        }
        let at = self.open();
        let event = match self.dice.below(8) {
            0 | 1 => Event::Kill,
            2 => Event::PowerCut,
            3 => Event::Restart,
            _ => Event::CutSoon(self.dice.between(1, 60)),
        };
        self.at(at, event);
    }

    /// Lives on until a moment.
    async fn until(&mut self, end: Duration) -> anyhow::Result<()> {
        loop {
            self.moments += 1;
            anyhow::ensure!(self.moments < MOMENTS_MAX, "time stands still");
            let now = self.setup.time.elapsed();
            while let Some(Reverse((at, _, event))) = self.events.peek().copied()
                && at <= now
            {
                self.events.pop();
                self.happen(event);
            }
            if let Some(agent) = &mut self.agent {
                agent.act(&self.pos)?;
            }
            if self.setup.disk.is_dead() {
                self.tally.fault("process: power cut in the middle of a commit");
                self.crash(true);
            }
            if now >= end {
                return Ok(());
            }
            self.wait(end).await;
        }
    }

    /// Until the next event, turn, or answer.
    async fn wait(&self, end: Duration) {
        let now = self.setup.time.elapsed();
        let event = self.events.peek().map(|Reverse((at, _, _))| *at);
        let turn = self.agent.as_ref().and_then(Agent::due).map(|wait| now + wait.max(Duration::from_millis(1)));
        let next = [Some(end), event, turn].into_iter().flatten().min().unwrap_or(end);
        let until = tokio::time::sleep_until(self.setup.time.instant(next));
        match &self.agent {
            Some(agent) => {
                let answered = agent.answered();
                tokio::select! {
                    biased;
                    () = answered.notified() => {}
                    () = until => {}
                }
            }
            None => until.await,
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.setup.time.elapsed();
        trace::line(now, || format!("{event:?}"));
        let weather = self.setup.front.weather();
        let set = |weather| self.setup.front.set_weather(weather);
        match event {
            Event::Ticket => self.ring_up(),
            Event::Change => self.change(),
            Event::ReadAgain => self.read_again(),
            Event::Order => self.order(),
            Event::Outage(span) => set(Weather { outage_until: now + span, ..weather }),
            Event::Down(span) => set(Weather { down_until: now + span, ..weather }),
            Event::Refused(span) => set(Weather { refused_until: now + span, ..weather }),
            Event::Clock(micros) => {
                match micros {
                    0 => {}
                    1.. => self.tally.fault("clock: ahead"),
                    _ => self.tally.fault("clock: set back"),
                }
                self.setup.time.set_wrong_by(micros);
            }
            Event::Unlist(article) => self.setup.front.list(article, false),
            Event::List(article) => {
                self.tally.fault("platform: article listed late");
                self.setup.front.list(article, true);
            }
            Event::Kill => {
                self.tally.fault("process: killed");
                self.crash(false);
            }
            Event::PowerCut => {
                self.tally.fault("process: power cut");
                self.crash(true);
            }
            Event::CutSoon(writes) => self.setup.disk.cut_after(writes),
            Event::Restart => {
                self.tally.fault("process: restarted");
                if let Some(agent) = self.agent.take() {
                    agent.stop();
                }
                self.start_soon();
            }
            Event::Start => self.start(),
        }
    }

    fn ring_up(&mut self) {
        let register = self.dice.index(self.pos.registers());
        let lines = self.pos.ring_up(register, self.setup.time.right(), &mut self.dice);
        self.tally.tickets += 1;
        trace::line(self.setup.time.elapsed(), || format!("ticket of register {register}: {lines:?}"));
        for line in lines {
            self.tally.lines += 1;
            match line.kind {
                sync_core::model::LineKind::Return => self.tally.fault("pos: return"),
                sync_core::model::LineKind::Receipt => self.tally.fault("pos: goods received"),
                sync_core::model::LineKind::Sale | sync_core::model::LineKind::Adjustment => {}
            }
        }
    }

    fn change(&mut self) {
        let register = self.dice.index(self.pos.registers());
        let before = self.pos.on_shelf().to_vec();
        let changed = self.pos.change(register, &mut self.dice);
        trace::line(self.setup.time.elapsed(), || {
            let moved = before.iter().zip(self.pos.on_shelf()).enumerate().filter(|(_, (a, b))| a != b);
            format!("change at register {register}: {changed:?} {:?}", moved.collect::<Vec<_>>())
        });
        match changed {
            Changed::Edited => self.tally.fault("pos: late edit"),
            Changed::Voided => self.tally.fault("pos: ticket voided"),
            Changed::Nothing => {}
        }
    }

    fn read_again(&mut self) {
        let register = self.dice.index(self.pos.registers());
        let records = usize::try_from(self.dice.between(1, 50)).unwrap_or(1);
        if let Some(agent) = &mut self.agent {
            self.tally.fault("pos: ticket read again");
            agent.read_again(register, records);
        }
    }

    /// Only where the platform can tell an order from a change whose outcome is unknown. Elsewhere the number that is read
    /// back can be right by coincidence, and only the next count finds the difference.
    fn order(&mut self) {
        let (article, units) = (self.dice.index(self.pos.on_shelf().len()), 1);
        let can_tell = matches!(self.setup.front.class(), Class::KeylessEvidence | Class::AbsoluteCas);
        if can_tell && self.setup.front.sell(article, units) {
            self.tally.fault("platform: online order");
            trace::line(self.setup.time.elapsed(), || format!("online order of article {article}"));
            self.pos.hand_over(article, units);
        }
    }

    /// The agent is gone; with the power, so is what was not synced.
    fn crash(&mut self, power: bool) {
        trace::line(self.setup.time.elapsed(), || format!("crash, power cut {power}"));
        if power {
            self.setup.disk.power_cut();
        } else {
            self.setup.disk.kill();
        }
        self.agent = None;
        self.start_soon();
    }

    fn start_soon(&mut self) {
        let after = if self.dice.per_mille(50) {
            self.dice.millis(3_600_000, 120_000_000)
        } else {
            self.dice.millis(1_000, 120_000)
        };
        self.at(after, Event::Start);
    }

    fn start(&mut self) {
        if self.agent.is_some() {
            return;
        }
        match Agent::start(&self.setup) {
            Ok(agent) => self.agent = Some(agent),
            Err(error) => {
                self.tally.fault("process: cannot start");
                self.start_refused = format!("{error:#}");
                self.crash(self.setup.disk.is_dead());
            }
        }
    }

    /// Everything that was in the way is taken away; when all is at rest, the numbers must be right.
    async fn compare(&mut self) -> anyhow::Result<Option<Finding>> {
        self.setup.front.set_weather(Weather::default());
        self.setup.disk.set_faults(Faults::default());
        self.setup.time.set_wrong_by(0);
        for article in 0..self.pos.on_shelf().len() {
            self.setup.front.list(article, true);
        }
        self.events.retain(|Reverse((_, _, event))| matches!(event, Event::Start));
        if let Some(finding) = self.come_to_rest().await? {
            return Ok(Some(finding));
        }
        let (_, dead) = look(&self.setup)?;
        match verdict::decide(&self.setup.front.numbers(), self.pos.on_shelf(), &dead) {
            Err(finding) => return Ok(Some(self.wrong(finding))),
            Ok(decisions) if decisions.is_empty() => {}
            Ok(decisions) => {
                for (id, retry) in decisions {
                    self.tally.left_to_a_person += 1;
                    if let Some(agent) = &mut self.agent {
                        agent.decide(id, retry);
                    }
                }
                if let Some(finding) = self.come_to_rest().await? {
                    return Ok(Some(finding));
                }
            }
        }
        self.tally.comparisons += 1;
        let (audit, _) = look(&self.setup)?;
        let finding = verdict::judge(&self.setup.front.numbers(), self.pos.on_shelf(), &audit);
        Ok(finding.map(|finding| self.wrong(finding)))
    }

    fn wrong(&mut self, finding: Finding) -> Finding {
        verdict::count(&self.setup.front.numbers(), self.pos.on_shelf(), &mut self.tally);
        finding
    }

    async fn come_to_rest(&mut self) -> anyhow::Result<Option<Finding>> {
        let limit = self.setup.time.elapsed() + QUIET_MAX;
        loop {
            let now = self.setup.time.elapsed();
            self.until(now + Duration::from_secs(90)).await?;
            if self.agent.as_ref().is_some_and(|agent| agent.is_quiet(&self.pos)) {
                return Ok(None);
            }
            if now > limit {
                return Ok(Some(match &self.agent {
                    Some(agent) => Finding::NeverQuiet(agent.state()),
                    None => Finding::CannotStart(self.start_refused.clone()),
                }));
            }
        }
    }
}

impl Temper {
    fn draw(dice: &mut Dice) -> Self {
        let disk_is_bad = dice.per_mille(300);
        let ppm = |dice: &mut Dice, most| if disk_is_bad { u32::try_from(dice.below(most)).unwrap_or(0) } else { 0 };
        Self {
            tickets_a_day: (6, 14),
            trouble: dice.between(10, 300),
            faults: Faults {
                read_error_ppm: ppm(dice, 1000),
                write_error_ppm: ppm(dice, 500),
                full_ppm: ppm(dice, 500),
                sync_error_ppm: ppm(dice, 8000),
            },
            crashes: dice.between(0, 250),
            outages: dice.between(0, 60),
            orders_a_day: dice.between(0, 4),
            compare_every: dice.between(3, 20),
        }
    }
}
