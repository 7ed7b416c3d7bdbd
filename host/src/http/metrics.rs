//! What the operator's listener tells Prometheus. Labels are bounded: a class of routes and a status, never a path, an
//! organization or an id.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;

use crate::plugins::{CallKind, PluginUsage, Used};

/// Upper bounds of the duration histogram, in microseconds.
const BOUNDS: [u64; 10] = [250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 5_000_000];

/// Counters of the HTTP edge. Cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Counters>);

#[derive(Default)]
struct Counters {
    requests: DashMap<(&'static str, u16), AtomicU64>,
    durations: DashMap<&'static str, Histogram>,
    in_flight: AtomicI64,
    connections: AtomicI64,
    turned_away: AtomicU64,
    limited: AtomicU64,
}

#[derive(Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// Counts down when dropped, so that a cancelled request is not counted for ever.
pub struct InFlight(Arc<Counters>, fn(&Counters) -> &AtomicI64);

impl Drop for InFlight {
    fn drop(&mut self) {
        (self.1)(&self.0).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// A request is being served until the answer is dropped.
    #[must_use]
    pub fn request(&self) -> InFlight {
        self.gauge(|counters| &counters.in_flight)
    }

    /// A connection is open until the answer is dropped.
    #[must_use]
    pub fn connection(&self) -> InFlight {
        self.gauge(|counters| &counters.connections)
    }

    /// Counts a connection that was closed because its client has enough of them.
    pub fn turned_away(&self) {
        self.0.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that was refused because there were too many.
    pub fn limited(&self) {
        self.0.limited.fetch_add(1, Ordering::Relaxed);
    }

    fn gauge(&self, which: fn(&Counters) -> &AtomicI64) -> InFlight {
        which(&self.0).fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.0), which)
    }

    /// Counts one answer.
    pub fn served(&self, class: &'static str, status: u16, took: Duration) {
        match self.0.requests.get(&(class, status)) {
            Some(counter) => counter.fetch_add(1, Ordering::Relaxed),
            None => self.0.requests.entry((class, status)).or_default().fetch_add(1, Ordering::Relaxed),
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(histogram) = self.0.durations.get(class) {
            return histogram.add(micros);
        }
        self.0.durations.entry(class).or_default().add(micros);
    }

    /// Everything as Prometheus text, with the number of plugins' statements that outlived their deadline by far.
    #[must_use]
    pub fn render(&self, overdue_statements: u64) -> String {
        let mut text = process();
        counter(&mut text, "stoa_plugin_statements_overdue_total", &AtomicU64::new(overdue_statements));
        gauge(&mut text, "stoa_http_requests_in_flight", self.0.in_flight.load(Ordering::Relaxed));
        gauge(&mut text, "stoa_http_connections", self.0.connections.load(Ordering::Relaxed));
        counter(&mut text, "stoa_http_connections_refused_total", &self.0.turned_away);
        counter(&mut text, "stoa_http_rate_limited_total", &self.0.limited);
        text.push_str("# TYPE stoa_http_requests_total counter\n");
        for entry in &self.0.requests {
            let ((class, status), count) = (entry.key(), entry.value().load(Ordering::Relaxed));
            let _ =
                writeln!(text, "stoa_http_requests_total{{route=\"{class}\",status=\"{status}\"}} {count}");
        }
        text.push_str("# TYPE stoa_http_request_duration_seconds histogram\n");
        for entry in &self.0.durations {
            entry.value().render(entry.key(), &mut text);
        }
        text
    }
}

/// What plugins use, all organizations together: as many lines as there are plugins, versions and kinds of calls. So many
/// versions are paused in all organizations.
#[must_use]
pub fn plugins(usage: &[PluginUsage], versions_paused: usize) -> String {
    let mut sums: BTreeMap<(&str, &str, &str), Used> = BTreeMap::new();
    for one in usage {
        for (kind, used) in CallKind::ALL.into_iter().zip(&one.used) {
            let sum = sums.entry((&one.plugin, &one.version, kind.as_str())).or_default();
            sum.calls += used.calls;
            sum.failures += used.failures;
            sum.refused += used.refused;
            sum.cpu += used.cpu;
            sum.wall += used.wall;
            sum.host_calls += used.host_calls;
        }
    }
    let mut text = String::new();
    type Figure = (&'static str, fn(&Used) -> f64);
    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in doubles")]
    let figures: [Figure; 6] = [
        ("calls", |used| used.calls as f64),
        ("failures", |used| used.failures as f64),
        ("refused", |used| used.refused as f64),
        ("cpu_seconds", |used| used.cpu.as_secs_f64()),
        ("seconds", |used| used.wall.as_secs_f64()),
        ("host_calls", |used| used.host_calls as f64),
    ];
    for (name, figure) in figures {
        let _ = writeln!(text, "# TYPE stoa_plugin_{name}_total counter");
        for ((plugin, version, kind), used) in &sums {
            let _ = writeln!(
                text,
                "stoa_plugin_{name}_total{{plugin=\"{plugin}\",version=\"{version}\",kind=\"{kind}\"}} {}",
                figure(used)
            );
        }
    }
    let paused = usage.iter().filter(|one| one.paused_until.is_some()).count();
    gauge(&mut text, "stoa_plugins_paused", paused);
    gauge(&mut text, "stoa_plugin_versions_paused", versions_paused);
    text
}

impl Histogram {
    fn add(&self, micros: u64) {
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            if micros <= *bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn render(&self, class: &str, text: &mut String) {
        let name = "stoa_http_request_duration_seconds";
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            let (bound, count) =
                (Duration::from_micros(*bound).as_secs_f64(), bucket.load(Ordering::Relaxed));
            let _ = writeln!(text, "{name}_bucket{{route=\"{class}\",le=\"{bound}\"}} {count}");
        }
        let count = self.count.load(Ordering::Relaxed);
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        let _ = writeln!(text, "{name}_bucket{{route=\"{class}\",le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum{{route=\"{class}\"}} {seconds}");
        let _ = writeln!(text, "{name}_count{{route=\"{class}\"}} {count}");
    }
}

fn counter(text: &mut String, name: &str, value: &AtomicU64) {
    let _ = writeln!(text, "# TYPE {name} counter\n{name} {}", value.load(Ordering::Relaxed));
}

fn gauge(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "# TYPE {name} gauge\n{name} {value}");
}

/// What the kernel knows of this process; a line that cannot be read is left out.
fn process() -> String {
    let mut text = String::new();
    if let Some(seconds) = cpu_seconds() {
        let _ =
            writeln!(text, "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {seconds}");
    }
    if let Some(files) = open_files() {
        gauge(&mut text, "process_open_fds", files);
    }
    if let Ok((soft, _)) = rlimit::Resource::NOFILE.get() {
        gauge(&mut text, "process_max_fds", soft);
    }
    if let Some(bytes) = resident_bytes() {
        gauge(&mut text, "process_resident_memory_bytes", bytes);
    }
    text
}

/// User and system time of the process so far.
#[must_use]
pub fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process stands in parentheses and may hold spaces: count the fields behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    // USER_HZ is 100 on every Linux that Rust's std supports.
    Some((f64::from(user) + f64::from(system)) / 100.0)
}

/// Open file descriptors of the process.
#[must_use]
pub fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_class_and_status() {
        let metrics = Metrics::default();
        metrics.served("users", 200, Duration::from_micros(300));
        metrics.served("users", 200, Duration::from_secs(9));
        let in_flight = metrics.request();
        let text = metrics.render(0);
        assert!(text.contains("stoa_http_requests_total{route=\"users\",status=\"200\"} 2"), "{text}");
        assert!(text.contains("duration_seconds_bucket{route=\"users\",le=\"0.0005\"} 1"), "{text}");
        assert!(text.contains("duration_seconds_bucket{route=\"users\",le=\"+Inf\"} 2"), "{text}");
        assert!(text.contains("stoa_http_requests_in_flight 1"), "{text}");
        drop(in_flight);
        assert!(metrics.render(0).contains("stoa_http_requests_in_flight 0"));
    }

    #[test]
    fn the_process_is_measured_where_the_kernel_tells() {
        if cfg!(target_os = "linux") {
            assert!(process().contains("process_cpu_seconds_total"));
            assert!(open_files().is_some_and(|files| files > 2));
        }
    }
}
