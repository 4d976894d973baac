//! Starting a cluster: what it needs, what an earlier life of it left behind, and the waiting.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::control::{self, Phase};
use super::identity::ProcessIdentity;
use super::place::Place;
use super::settings::{Settings, Tier};
use super::{Cluster, UpOptions, build, certificates, down, images, packages, settings};
use crate::failure::{Doing, Failure, Result};
use crate::talk::{self, Stopwatch};
use crate::tool;

/// How long a start may take: each of the node's steps has a limit of its own, this one is for a
/// node that does not even answer.
const START_LIMIT: Duration = Duration::from_secs(600);
/// How often a starting node is asked how far it is.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// Starts a cluster, or finds it running; returns when all of its tier works.
pub(crate) fn up(options: &UpOptions) -> Result<Cluster> {
    let place = Place::of(&options.name)?;
    check_machine()?;
    let _lock = lock(&place)?;
    let watch = Stopwatch::start();
    if let Some(cluster) = find_running(&place, options)? {
        talk::say(format_args!(
            "cluster {} is up already ({})",
            place.name, cluster.tier
        ));
        return Ok(cluster);
    }
    down::clear_leftovers(&place)?;
    let settings = prepare(&place, options)?;
    let prepared = watch.elapsed();
    let child = start_keeper(&place)?;
    wait_until_ready(&place, child, watch)?;
    let cluster = Cluster::of(&place, &settings);
    cluster.check()?;
    talk::say(format_args!(
        "cluster {} is up ({}) after {}, {:.1} s of it for what it needs",
        place.name,
        settings.tier,
        watch.words(),
        prepared.as_secs_f64()
    ));
    Ok(cluster)
}

/// Keeps two commands from starting or stopping the same cluster at once. Held until it is dropped.
pub(super) fn lock(place: &Place) -> Result<File> {
    let doing = || format!("lock cluster {}", place.name);
    let file = place.state.with_extension("lock");
    fs::create_dir_all(super::place::clusters()).doing(doing)?;
    let lock = File::create(file).doing(doing)?;
    if lock.try_lock().is_err() {
        talk::say(format_args!(
            "another command works on cluster {}; waiting for its end",
            place.name
        ));
        lock.lock().doing(doing)?;
    }
    Ok(lock)
}

fn check_machine() -> Result<()> {
    let doing = "start a cluster on this machine";
    if !cfg!(target_os = "linux") {
        return Err(Failure::new(
            doing,
            "it needs Linux: namespaces, cgroups and loop devices",
        )
        .way_out(
            "use a Linux virtual machine, or give the tests a cluster of yours with --kubeconfig",
        ));
    }
    super::need_root(doing)
}

/// The cluster, if it runs. What was asked for must be what runs.
fn find_running(place: &Place, options: &UpOptions) -> Result<Option<Cluster>> {
    let (Some(_), Some(settings)) = (settings::keeper(place), Settings::read(place)?) else {
        return Ok(None);
    };
    // A start that was interrupted goes on by itself: its end is worth waiting for.
    let ready = talk::poll(START_LIMIT, ASK_PAUSE, || {
        if settings::keeper(place).is_none() {
            return Ok(Some(false));
        }
        Ok::<_, Failure>((control::phase(place).ok() == Some(Phase::Ready)).then_some(true))
    })?;
    if ready != Some(true) {
        return Ok(None);
    }
    let other = match (options.tier, options.port) {
        (Some(tier), _) if tier != settings.tier => Some(format!("with tier {}", settings.tier)),
        (_, Some(port)) if port != settings.port => Some(format!("on port {}", settings.port)),
        _ => None,
    };
    if let Some(other) = other {
        return Err(Failure::new(
            format!("start cluster {} so", place.name),
            format!("it runs {other} already"),
        )
        .way_out(format!(
            "first `cargo xtask cluster down --name {}`",
            place.name
        )));
    }
    let cluster = Cluster::of(place, &settings);
    cluster.check()?;
    Ok(Some(cluster))
}

/// Makes all that a start needs, and remembers how the cluster is started.
fn prepare(place: &Place, options: &UpOptions) -> Result<Settings> {
    let before = Settings::read(place)?;
    let tier = options
        .tier
        .or(before.as_ref().map(|settings| settings.tier))
        .unwrap_or(Tier::Node);
    let cni_plugins = packages::ensure(tier)?;
    let programs = build::ensure(tier)?;
    let images = match tier {
        Tier::Node => images::base(&programs)?,
        Tier::ControlPlane => Vec::new(),
    };
    let settings = Settings {
        tier,
        port: choose_port(options, before.as_ref())?,
        port_chosen: options.port.is_some() || before.is_some_and(|settings| settings.port_chosen),
        programs,
        cni_plugins,
        images,
    };
    let doing = || format!("make the state of cluster {}", place.name);
    for folder in [
        place.state.clone(),
        place.logs(),
        place.volumes(),
        place.state.join("bin"),
        place.state.join("home"),
    ] {
        fs::create_dir_all(folder).doing(doing)?;
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(place.sockets())
        .doing(doing)?;
    certificates::ensure(place, settings.port)?;
    settings.write(place)?;
    Ok(settings)
}

/// The port that was asked for, else the one of the last start, else a free one.
fn choose_port(options: &UpOptions, before: Option<&Settings>) -> Result<u16> {
    let wanted = options.port.or(before.map(|settings| settings.port));
    let doing = || "choose the API server's port".to_owned();
    if let Some(port) = wanted {
        let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
            return Ok(port);
        };
        if options.port.is_some() || before.is_some_and(|settings| settings.port_chosen) {
            return Err(Failure::new(doing(), format!("127.0.0.1:{port}: {error}"))
                .way_out("end the program that uses it, or choose another with --port"));
        }
        talk::say(format_args!(
            "port {port} is taken by another program meanwhile; taking another"
        ));
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing(doing)?;
    Ok(listener.local_addr().doing(doing)?.port())
}

fn start_keeper(place: &Place) -> Result<Child> {
    let doing = || format!("start the keeper of cluster {}", place.name);
    let own = std::env::current_exe().doing(doing)?;
    // A copy, since cargo replaces the original at the next build.
    let program = place.program();
    let next = program.with_extension("next");
    fs::copy(own, &next).doing(doing)?;
    fs::rename(&next, &program).doing(doing)?;
    let log = File::create(place.logs().join("keeper.log")).doing(doing)?;
    let child = Command::new(&program)
        .args(["cluster", "keeper", "--state"])
        .arg(&place.state)
        .current_dir("/")
        // Nothing of the caller's may reach the node: proxies, a KUBECONFIG (which csi-provisioner
        // would prefer to its flag, and hang), Go's settings.
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("HOME", place.state.join("home"))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(log.try_clone().doing(doing)?)
        .stderr(log)
        .spawn()
        .doing(doing)?;
    let identity = ProcessIdentity::of(child.id());
    let identity = identity.ok_or_else(|| Failure::new(doing(), "it ended at once"))?;
    settings::remember_keeper(place, &identity)?;
    Ok(child)
}

/// Tells each phase as it comes, until the node is ready or has ended.
fn wait_until_ready(place: &Place, mut keeper: Child, watch: Stopwatch) -> Result<()> {
    let doing = || format!("start cluster {}", place.name);
    let mut told = None;
    let ready = talk::poll(START_LIMIT, ASK_PAUSE, || {
        if keeper.try_wait().doing(doing)?.is_some() {
            return Err(why_it_ended(place));
        }
        match control::phase(place) {
            Ok(Phase::Ready) => return Ok(Some(())),
            Ok(Phase::Starting(what)) if told.as_ref() != Some(&what) => {
                talk::say(format_args!("  {}: waiting for {what}", watch.words()));
                told = Some(what);
            }
            _ => {}
        }
        Ok(None)
    })?;
    ready.ok_or_else(|| {
        Failure::new(doing(), "the node does not answer")
            .way_out(format!("read the logs in {}", place.logs().display()))
    })
}

fn why_it_ended(place: &Place) -> Failure {
    let mut words = tool::text_of(&place.last_words());
    if words.is_empty() {
        words = tool::last_lines(&tool::text_of(&place.logs().join("keeper.log")), 12);
    }
    let (logs, name) = (place.logs(), &place.name);
    Failure::new(format!("start cluster {name}"), words).way_out(format!(
        "read the logs in {}; `cargo xtask cluster up` tries again, `cargo xtask cluster down --wipe --name {name}` lets it start afresh",
        logs.display()
    ))
}
