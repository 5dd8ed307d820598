//! `dunghen demo`: the main job in a minute. A server on the embedded default, desks that push events over gRPC, and a
//! live table of rates and obligations against targets.
//!
//! Time is simulated: a clock of its own runs through three months, so that promises pass, the engine writes `Late` and
//! letters come in time or too late while one watches. Everything else is the real thing.

mod office;

use super::{Failure, output};
use dunghen::messages::{Lang, Text, calls, commands, tables};
use dunghen::source::Source;
use dunghen::{pb, rules, serve, status, wire};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::Moment;
use dunghen_engine::{Clock, Engine, Purpose, SystemClock};
use office::Sent;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The targets of the Bình Định health department's plan for 2023–2025: more than 99 % of the dossiers received, and
/// every missed promise apologised for in time.
const ON_TIME_TARGET: (u64, u64) = (99, 100);

#[derive(clap::Args)]
pub(super) struct DemoArgs {
    /// Where to put the data [default: a new directory below the system's temporary one].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How long it takes, in seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How many dossiers come in on a working day.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=2000))]
    dossiers_a_day: u64,
    /// Another seed makes another department.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The clock of the demo: stands where the story is.
struct StoryClock(AtomicI64);

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Acquire))
    }

    fn elapsed_ms(&self) -> Option<i64> {
        None
    }
}

/// What the desks have seen.
#[derive(Default)]
struct Tally {
    recorded: AtomicU64,
    duplicates: AtomicU64,
    refused: AtomicU64,
    last_refusal: Mutex<Text>,
}

impl Tally {
    fn refusal(&self, text: Text) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        *self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// The three whole months before the one that `today` lies in.
fn story_months(today: Date) -> (Date, Date) {
    let (year, month, _) = today.ymd();
    let months = year * 12 + i32::try_from(month).unwrap_or(1) - 1;
    let first = |m: i32| Date::new(m.div_euclid(12), m.rem_euclid(12).unsigned_abs() + 1, 1).unwrap_or(today);
    (first(months - 3), first(months))
}

pub(super) async fn run(args: DemoArgs, lang: Lang) -> Result<u8, Failure> {
    let path = args.data.unwrap_or_else(|| std::env::temp_dir().join(format!("dunghen-demo-{}", uuid::Uuid::now_v7())));
    let zone = Zone::VIETNAM;
    let (from, to) = story_months(zone.date(SystemClock.now()));
    let story = office::events(args.seed, from, to, zone, args.dossiers_a_day);
    let clock = Arc::new(StoryClock(AtomicI64::new(zone.first_tick(from).0)));
    let mut options = rules::options(Purpose::Write);
    options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let engine = Arc::new(Engine::open(&path, options)?);
    if engine.position() > 0 {
        return Err(Failure::usage(commands::demo_place_taken(&path)));
    }
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = serve::bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve::serve(listener, Arc::clone(&engine), stopped));
    let mut interrupted = super::serve::stop_on_signal()?;
    if std::io::stdout().is_terminal() {
        write!(std::io::stdout(), "\x1b[2J\x1b[H")?;
    }
    output::say(&commands::demo_intro(&url, office::DESKS, story.len()), lang)?;

    let told = tokio::select! {
        told = tell(story, &clock, &url, args.seconds, lang, zone, (from, to)) => told.map(Some),
        _ = interrupted.changed() => Ok(None),
    };
    // The server is told to stop whatever came before; if it is gone, that is what was wanted.
    let _ = stop.send(true);
    let served = server.await.map_err(Failure::defect)?;
    let closed = tokio::task::spawn_blocking(move || engine.close()).await.map_err(Failure::defect)?;
    let told = told?;
    served?;
    closed?;
    match told {
        Some(()) => output::line(&what_next(lang, &path, from, to))?,
        None => output::say(&commands::demo_stopped(&path), lang)?,
    }
    Ok(0)
}

/// Pushes the story day by day and shows what comes of it.
async fn tell(
    story: Vec<Sent>,
    clock: &StoryClock,
    url: &str,
    seconds: u64,
    lang: Lang,
    zone: Zone,
    (from, to): (Date, Date),
) -> Result<(), Failure> {
    let mut desks = Vec::new();
    for _ in 0..office::DESKS {
        desks.push(Source::connect_in(url, lang).await.map_err(Failure::failed)?);
    }
    let supervisor = Source::connect_in(url, lang).await.map_err(Failure::failed)?;
    let tally = Arc::new(Tally::default());
    let mut screen = Screen::new();
    let days = u64::from((to.0 - from.0).unsigned_abs());
    let pace = Duration::from_millis(seconds * 1000 / days.max(1));
    let mut tick = tokio::time::interval(pace);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut story = story.into_iter().peekable();
    let mut day = from;
    while day < to {
        tick.tick().await;
        let midnight = zone.first_tick(day.plus(1));
        // A desk's day goes in as one sequence; the clock stands at the end of each hour before its events are sent.
        let mut hour = zone.first_tick(day);
        while hour < midnight {
            hour = hour.plus(3_600_000);
            let mut shares: Vec<Vec<Sent>> = vec![Vec::new(); office::DESKS];
            while let Some(sent) = story.next_if(|s| s.statement.occurred_at < hour) {
                shares[sent.desk].push(sent);
            }
            clock.0.store(hour.0, Ordering::Release);
            let mut pushing = JoinSet::new();
            for (desk, share) in desks.iter().zip(shares).filter(|(_, share)| !share.is_empty()) {
                pushing.spawn(push(desk.clone(), share, Arc::clone(&tally)));
            }
            while let Some(pushed) = pushing.join_next().await {
                pushed.map_err(Failure::defect)??;
            }
        }
        day = day.plus(1);
        let last = day == to;
        if last || screen.live || day.weekday() == 0 {
            // The engine looks at its clock five times a second: the last promises get their `Late` before the end.
            if last {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            let as_of = if last { zone.first_tick(to).plus(-1) } else { clock.now() };
            let answer = ask(&supervisor, from, to, as_of).await?;
            screen.show(&page(&answer, &tally, as_of, &zone, lang))?;
        }
    }
    Ok(())
}

/// One desk sends its events in order; some go out twice, some are refused.
async fn push(desk: Source, events: Vec<Sent>, tally: Arc<Tally>) -> Result<(), Failure> {
    for sent in events {
        let request = pb::RecordRequest { event: Some(wire::event(&sent.statement)), expected_version: None };
        for _ in 0..=usize::from(sent.twice) {
            match desk.record(request.clone()).await {
                Ok(answer) if answer.receipt.as_ref().is_some_and(|r| r.duplicate) => {
                    tally.duplicates.fetch_add(1, Ordering::Relaxed);
                }
                Ok(_) => {
                    tally.recorded.fetch_add(1, Ordering::Relaxed);
                }
                Err(refusal) if refusal.code() == tonic::Code::FailedPrecondition => {
                    let (reason, text) = status::read(&refusal);
                    tally.refusal(calls::refused(&reason, &text));
                }
                Err(other) => return Err(Failure::status(&other)),
            }
        }
    }
    Ok(())
}

async fn ask(supervisor: &Source, from: Date, to: Date, as_of: Timestamp) -> Result<pb::GetRatesResponse, Failure> {
    let request = pb::GetRatesRequest {
        definition: "received".to_owned(),
        from: Some(wire::time_point(Moment::Date(from))),
        to: Some(wire::time_point(Moment::Date(to))),
        as_of: Some(wire::time_point(Moment::Instant(as_of))),
        by: vec!["unit".to_owned(), "field".to_owned()],
        ..pb::GetRatesRequest::default()
    };
    supervisor.get_rates(request).await.map_err(|s| Failure::status(&s))
}

/// Met or not; a dash where there is nothing to judge.
fn verdict(met: Option<bool>, lang: Lang) -> &'static str {
    met.map_or("–", |met| output::verdict(met, lang))
}

/// Of the columns: unit, field, received, overdue, rate, target, apologies due, missing.
const NARROW: [usize; 8] = [0, 1, 2, 4, 7, 8, 9, 12];

fn page(answer: &pb::GetRatesResponse, tally: &Tally, as_of: Timestamp, zone: &Zone, lang: Lang) -> String {
    let cells = |key: Vec<String>, f: pb::Figures| {
        let decided = f.on_time + f.late;
        let met = (decided > 0).then(|| ON_TIME_TARGET.1 * f.on_time > ON_TIME_TARGET.0 * decided);
        let sorry = (f.apology_due > 0).then_some(f.apology_in_time == f.apology_due);
        let n = |n| output::count(n, lang);
        let mut row = key;
        row.extend([
            n(f.received),
            n(f.open),
            n(f.open_overdue),
            n(f.on_time),
            n(f.late),
            output::percent(f.on_time, decided, lang),
            verdict(met, lang).to_owned(),
            n(f.apology_due),
            n(f.apology_in_time),
            n(f.apology_late),
            n(f.apology_missing),
            output::percent(f.apology_in_time, f.apology_due, lang),
            verdict(sorry, lang).to_owned(),
        ]);
        row
    };
    let mut rows: Vec<Vec<String>> = answer
        .groups
        .iter()
        .map(|g| {
            let key = g.key.iter().map(|k| k.value.clone().unwrap_or_else(|| "–".to_owned())).collect();
            cells(key, g.figures.unwrap_or_default())
        })
        .collect();
    rows.push(cells(vec![tables::total().into_lang(lang), String::new()], answer.total.unwrap_or_default()));
    let header = output::header(tables::demo(), lang);
    // A narrow terminal gets the columns that matter most; a page that is taller than the screen could not be redrawn.
    let table = output::fitting(&header, 2, &rows).unwrap_or_else(|| {
        let some = |row: &[String]| -> Vec<String> { NARROW.iter().filter_map(|i| row.get(*i).cloned()).collect() };
        let rows: Vec<Vec<String>> = rows.iter().map(|row| some(row)).collect();
        output::table(&some(&header), 2, &rows)
    });
    let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let seen = commands::Seen {
        at: as_of,
        position: answer.position,
        recorded: load(&tally.recorded),
        twice: load(&tally.duplicates),
        refused: load(&tally.refused),
    };
    let last = tally.last_refusal.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (head, foot) = (commands::demo_head(seen, zone), commands::demo_foot(&last));
    format!("{}\n{table}\n{}", head.in_lang(lang), foot.in_lang(lang))
}

/// Redraws the whole screen on a terminal; otherwise prints one page a week.
struct Screen {
    live: bool,
}

impl Screen {
    fn new() -> Screen {
        Screen { live: std::io::stdout().is_terminal() }
    }

    fn show(&mut self, page: &str) -> Result<(), Failure> {
        if !self.live {
            return output::line(page);
        }
        let mut out = std::io::stdout().lock();
        // Home, the page with the rest of each line cleared, then everything below: redrawing so does not flicker.
        write!(out, "\x1b[H{}\x1b[K\x1b[J", page.replace('\n', "\x1b[K\n"))?;
        writeln!(out)?;
        out.flush()?;
        Ok(())
    }
}

fn what_next(lang: Lang, path: &std::path::Path, from: Date, to: Date) -> String {
    let dir = path.display();
    let last = to.plus(-1);
    let (hint, list) = commands::demo_next();
    let try_next = [
        format!("rates --data {dir} --definition received --from {from} --to {to} --by month --format table"),
        format!("dossiers --data {dir} --state apology-missing --as-of {last} --format table"),
        format!("dossiers --data {dir} --state late --as-of {last} --format table"),
        format!("replay --data {dir}"),
        format!("verify --data {dir}"),
    ];
    // As it was called: by cargo from a checkout, or by its own name.
    let program = match std::env::var_os("CARGO") {
        Some(_) => "cargo run --release --".to_owned(),
        None => std::env::args().next().unwrap_or_else(|| "dunghen".to_owned()),
    };
    let mut text = format!("\n{}\n", hint.in_lang(lang));
    for (command, what) in try_next.iter().zip(&list) {
        text.push_str(&format!("  {program} {command}   # {}\n", what.in_lang(lang)));
    }
    text
}
