//! `/plugin-usage`: what plugins use in organizations, and where they are paused because they failed; by day, too.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use poem_openapi::param::Query;
use poem_openapi::{Enum, Object, OpenApi};

use crate::app::App;
use crate::clock::{UnixMillis, date_in, rfc3339};
use crate::http::answer::{Found, cursor, cut, page_size};
use crate::http::errors::invalid_parameter;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::platform::Area;
use crate::plugins::metering::{Granularity, Metered, Period};
use crate::plugins::{CallKind, PluginUsage, Used};

use super::Tag;
use super::organizations::find;

/// Tells what plugins use.
pub(in crate::http::platform) struct UsageApi {
    /// Every handle.
    pub app: App,
}

/// What calls of one kind used.
#[derive(Object)]
#[oai(rename = "CallUsage")]
pub(in crate::http::platform) struct CallUsageView {
    /// `hook`, `action` or `report`.
    kind: String,
    /// Calls that were made.
    calls: u64,
    /// Those of them that were stopped or ended abnormally.
    failures: u64,
    /// Calls that were not made because too many had failed.
    refused: u64,
    /// Processor time, of the host for them too, in microseconds.
    cpu_us: u64,
    /// Time altogether in microseconds.
    wall_us: u64,
    /// Calls of the host.
    host_calls: u64,
    /// Most memory of one call in bytes.
    memory: u64,
}

/// What a version of a plugin used in an organization.
#[derive(Object)]
#[oai(rename = "PluginUsage")]
pub(in crate::http::platform) struct PluginUsageView {
    /// The organization's id.
    organization_id: String,
    /// The plugin's id.
    plugin: String,
    /// Its version.
    version: String,
    /// Until when it is not called there, because too many calls failed; null: it is called.
    paused_until: Option<String>,
    /// By kind.
    calls: Vec<CallUsageView>,
}

/// What plugins used.
#[derive(Object)]
pub(in crate::http::platform) struct PluginUsageList {
    /// By organization, plugin and version.
    data: Vec<PluginUsageView>,
    /// Always null.
    next_cursor: Option<String>,
}

/// By what days are added up.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "UsageGranularity", rename_all = "snake_case")]
pub(in crate::http::platform) enum GranularityView {
    /// Each by itself.
    Day,
    /// Those of a calendar month.
    Month,
    /// All of them.
    Total,
}

/// What calls of one kind used in a period.
#[derive(Object)]
#[oai(rename = "PluginUsagePeriod")]
pub(in crate::http::platform) struct PeriodView {
    /// The day, `2026-11-23`, or the month, `2026-11`, in UTC; null: the total.
    period: Option<String>,
    /// The organization's id.
    organization_id: String,
    /// The plugin's id.
    plugin: String,
    /// Its version.
    version: String,
    /// `hook`, `action` or `report`.
    kind: String,
    /// Calls that were made.
    calls: u64,
    /// Those of them that were stopped or ended abnormally.
    failures: u64,
    /// Calls that were not made because too many had failed.
    refused: u64,
    /// Processor time, of the host for them too, in microseconds.
    cpu_us: u64,
    /// Time altogether in microseconds.
    wall_us: u64,
    /// Calls of the host.
    host_calls: u64,
}

/// A page of what plugins used by period.
#[derive(Object)]
#[oai(rename = "PluginUsagePeriodList")]
pub(in crate::http::platform) struct PeriodList {
    /// By period, organization, plugin, version and kind.
    data: Vec<PeriodView>,
    /// Where the next page begins; null: this is the last.
    next_cursor: Option<String>,
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl From<Metered> for PeriodView {
    fn from(metered: Metered) -> Self {
        let place = metered.place;
        Self {
            period: (!place.period.is_empty()).then_some(place.period),
            organization_id: place.organization.to_string(),
            plugin: place.plugin,
            version: place.version,
            kind: place.kind,
            calls: metered.calls,
            failures: metered.failures,
            refused: metered.refused,
            cpu_us: micros(metered.cpu),
            wall_us: micros(metered.wall),
            host_calls: metered.host_calls,
        }
    }
}

/// The days that are asked for: the present month's until today unless said.
fn days(from: Option<&str>, to: Option<&str>, now: UnixMillis) -> Result<(Date, Date), Problem> {
    let day = |name: &'static str, text: &str| {
        let wrong = |_| invalid_parameter(name, "is a day, such as 2026-11-23");
        text.parse::<Date>().map_err(wrong)
    };
    let to = day("to", to.unwrap_or(&date_in(now, &TimeZone::UTC)))?;
    let from = from.map_or_else(|| Ok(to.first_of_month()), |text| day("from", text))?;
    if from > to {
        return Err(invalid_parameter("from", "is not after `to`"));
    }
    Ok((from, to))
}

impl CallUsageView {
    fn of(kind: CallKind, used: &Used) -> Self {
        Self {
            kind: kind.as_str().to_owned(),
            calls: used.calls,
            failures: used.failures,
            refused: used.refused,
            cpu_us: micros(used.cpu),
            wall_us: micros(used.wall),
            host_calls: used.host_calls,
            memory: used.memory,
        }
    }
}

impl From<&PluginUsage> for PluginUsageView {
    fn from(usage: &PluginUsage) -> Self {
        let calls = CallKind::ALL.into_iter().zip(&usage.used);
        Self {
            organization_id: usage.organization.to_string(),
            plugin: usage.plugin.to_string(),
            version: usage.version.to_string(),
            paused_until: usage.paused_until.map(rfc3339),
            calls: calls.map(|(kind, used)| CallUsageView::of(kind, used)).collect(),
        }
    }
}

#[OpenApi(prefix_path = "/admin/v1", tag = "Tag::Plugins")]
impl UsageApi {
    /// List what plugins use
    ///
    /// Counted since the process started, in the organizations where a plugin was called. A plugin whose calls keep failing is
    /// paused in that organization: its operations answer 503 until one call is tried and succeeds.
    #[oai(path = "/plugin-usage", method = "get", operation_id = "list_plugin_usage")]
    async fn list(
        &self,
        staff: Staff,
        /// Of this organization only.
        #[oai(validator(max_length = 64))]
        organization: Query<Option<String>>,
    ) -> Result<Found<PluginUsageList>, Problem> {
        staff.may(Area::Operations, "read")?;
        let organization = match &organization.0 {
            Some(id) => Some(find(&self.app, id).await?.id),
            None => None,
        };
        let usage = self.app.plugins.usage(organization, self.app.clock.now());
        let data = usage.iter().map(PluginUsageView::from).collect();
        Ok(Found::new(PluginUsageList { data, next_cursor: None }))
    }

    /// List what plugins used by period
    ///
    /// Kept across restarts, day by day in UTC. It is exact up to this request; a process that is killed loses what was used
    /// since the last minute.
    #[oai(path = "/plugin-usage/periods", method = "get", operation_id = "list_plugin_usage_periods")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn periods(
        &self,
        staff: Staff,
        /// The first day; the first of the month of `to` unless said.
        #[oai(validator(max_length = 10))]
        from: Query<Option<String>>,
        /// The last day; today unless said.
        #[oai(validator(max_length = 10))]
        to: Query<Option<String>>,
        /// By what days are added up: all of them unless said.
        granularity: Query<Option<GranularityView>>,
        /// Of this organization only.
        #[oai(validator(max_length = 64))]
        organization: Query<Option<String>>,
        /// Of this plugin only, by id.
        #[oai(validator(max_length = 64))]
        plugin: Query<Option<String>>,
        /// 1 to 200, 50 unless asked for.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        #[oai(validator(max_length = 256))]
        cursor: Query<Option<String>>,
    ) -> Result<Found<PeriodList>, Problem> {
        staff.may(Area::Operations, "read")?;
        let (from, to) = days(from.0.as_deref(), to.0.as_deref(), self.app.clock.now())?;
        let organization = match &organization.0 {
            Some(id) => Some(find(&self.app, id).await?.id),
            None => None,
        };
        let size = page_size(limit.0)?;
        let period = Period {
            from,
            to,
            granularity: match granularity.0 {
                Some(GranularityView::Day) => Granularity::Day,
                Some(GranularityView::Month) => Granularity::Month,
                Some(GranularityView::Total) | None => Granularity::Total,
            },
            organization,
            plugin: plugin.0,
            after: self::cursor(cursor.0.as_deref())?,
            limit: size + 1,
        };
        let figures = self.app.usage_of(&period).await.map_err(|error| Problem::internal(&error))?;
        let (figures, next_cursor) = cut(figures, size, |metered| metered.place.to_string());
        Ok(Found::new(PeriodList { data: figures.into_iter().map(PeriodView::from).collect(), next_cursor }))
    }
}
