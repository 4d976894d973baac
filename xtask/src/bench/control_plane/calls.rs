//! Single calls, one after the other on one connection that is open: pages of lists, and single resources.

use reqwest::Method;
use serde_json::Value;

use super::Size;
use super::catalogue::{DIGITS, INSTANCE};
use super::client::{Client, VERSION};
use super::place::{Place, vault};
use crate::bench::report::Figures;
use crate::failure::{Doing, Failure, Result};
use crate::talk::say;

/// How far it is from one instance to the next that is asked for: a prime, so that all come to be asked for,
/// none near the one before.
const STRIDE: usize = 7_919;

/// The address of an instance.
pub(super) fn instance(number: usize) -> String {
    format!("{}/backupInstances/{INSTANCE}{number:0DIGITS$}", vault())
}

/// Measures.
pub(super) fn measure(
    client: &Client,
    place: &Place,
    size: Size,
    figures: &mut Figures,
) -> Result<()> {
    let instances = pages_of_instances(client, size)?;
    let some = |index: usize| instance(index * STRIDE % size.instances);
    let mut points = Vec::with_capacity(size.calls);
    let mut names = Vec::with_capacity(size.calls);
    for index in 0..size.calls {
        let path = format!("{}/recoveryPoints?{VERSION}", some(index));
        let answer = client.ask(Method::GET, &path, None)?;
        points.push(answer.millis);
        names.push(some_point(&answer.body, index)?);
    }
    let timed = |path: &dyn Fn(usize) -> String| -> Result<Vec<f64>> {
        let calls = (0..size.calls).map(|index| client.ask(Method::GET, &path(index), None));
        calls.map(|answer| Ok(answer?.millis)).collect()
    };
    let gets = [
        (
            "get_instance",
            timed(&|index| format!("{}?{VERSION}", some(index)))?,
        ),
        (
            "get_point",
            timed(&|index| format!("{}/recoveryPoints/{}?{VERSION}", some(index), names[index]))?,
        ),
        (
            "get_policy",
            timed(&|_| format!("{}?{VERSION}", place.policy()))?,
        ),
    ];
    let lists = [("list_instances", instances), ("list_points", points)];
    told(figures, "list_p99_ms", &lists);
    told(figures, "get_p99_ms", &gets);
    Ok(())
}

/// Sets the figures of several kinds of calls, and of all of them the worst.
fn told(figures: &mut Figures, name: &str, kinds: &[(&str, Vec<f64>)]) {
    let mut worst: f64 = 0.0;
    for (kind, millis) in kinds {
        let (median, p99) = (percentile(millis, 50), percentile(millis, 99));
        figures.set(&format!("{kind}_p50_ms"), median);
        figures.set(&format!("{kind}_p99_ms"), p99);
        say(format_args!(
            "{p99:>6.1} ms  {kind}, 99 of 100; the median {median:.1} ms"
        ));
        worst = worst.max(p99);
    }
    figures.set(name, worst);
}

/// Pages of 100 from the first to the last, over and over.
fn pages_of_instances(client: &Client, size: Size) -> Result<Vec<f64>> {
    let first = format!("{}/backupInstances?{VERSION}", vault());
    let (mut millis, mut path) = (Vec::with_capacity(size.calls), first.clone());
    let mut listed = 0;
    while millis.len() < size.calls {
        let answer = client.ask(Method::GET, &path, None)?;
        millis.push(answer.millis);
        let page: Value = serde_json::from_slice(&answer.body).doing(|| format!("read {path}"))?;
        listed += page["value"].as_array().map_or(0, Vec::len);
        let next = page["nextLink"].as_str().map(str::to_owned);
        if next.is_none() && listed != size.instances {
            let cause = format!("{listed} were listed of {}", size.instances);
            return Err(Failure::new("list all instances", cause));
        }
        path = next.unwrap_or_else(|| {
            listed = 0;
            first.clone()
        });
    }
    Ok(millis)
}

/// The name of one of the recovery points on a page.
fn some_point(page: &[u8], index: usize) -> Result<String> {
    let page: Value = serde_json::from_slice(page).doing(|| "read a page".to_owned())?;
    let all = page["value"].as_array().map_or(0, Vec::len);
    let name = page["value"][index % all.max(1)]["name"].as_str();
    name.map(str::to_owned)
        .ok_or_else(|| Failure::new("list recovery points", "there are none"))
}

/// The value that so many of a hundred do not exceed.
pub(super) fn percentile(values: &[f64], of_hundred: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * of_hundred).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 99), 198.0);
        assert_eq!(percentile(&values, 50), 100.0);
        assert_eq!(percentile(&[7.0], 99), 7.0);
        assert!(percentile(&[], 99).is_nan());
    }
}
