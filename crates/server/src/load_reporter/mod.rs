//! Tells a control plane how much load the clusters' hosts have (LRS; Envoy's "Load Reporting
//! Service"): it says which clusters it wants to hear of, and how often.

mod report;

use crate::cluster_manager::ClusterManager;
use crate::report_stream::{Reporter, keep_reporting};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_config::bootstrap::Bootstrap;
use nuncio_extension::ServerEnv;
use nuncio_grpc::{GrpcClient, GrpcStream};
use nuncio_proto::Message;
use nuncio_proto::envoy::config::core::v3::Node;
use nuncio_proto::envoy::service::load_stats::v3::{LoadStatsRequest, LoadStatsResponse};
use nuncio_stats::stat_group;
use nuncio_worker::Worker;
use nuncio_worker::timer::sleep_until;
use report::Reports;
use std::rc::Rc;
use std::time::{Duration, Instant};

const PATH: &str = "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats";

/// How long to wait before the stream is opened again.
const RETRY_DELAY: Duration = Duration::from_secs(5);

stat_group! {
    /// `load_reporter.`: the control plane requests, reports are the responses; errors are streams
    /// that ended, and reports that had to wait.
    struct LoadReporterStats {
        counters { errors, requests, responses, retries }
    }
}

/// Begins to report, where that is configured, for as long as the process runs.
pub fn start(env: &ServerEnv, clusters: &Rc<ClusterManager>, parsed: &Bootstrap) {
    let (Some(service), Some(worker)) = (&parsed.load_stats, env.main()) else {
        return;
    };
    let scope = env.store.root().scope("load_reporter");
    let client = GrpcClient::new(worker, service);
    let reporter = LoadReporter {
        worker: Rc::clone(worker),
        node: parsed.full_node.clone(),
        stats: scope.group::<LoadReporterStats>().local(),
        reports: Reports::new(clusters),
        asked: None,
    };
    worker.spawn(reporter.run(client));
}

struct LoadReporter {
    worker: Rc<Worker>,
    node: Node,
    stats: LoadReporterStats,
    reports: Reports,
    asked: Option<Asked>,
}

/// What the control plane asked for last.
struct Asked {
    by_host: bool,
    interval: Duration,
    /// When the next report is due.
    due: Instant,
}

impl Reporter for LoadReporter {
    const STREAM: &str = "load reporter stream";

    fn due(&self) -> Option<Instant> {
        self.asked.as_ref().map(|asked| asked.due)
    }

    fn report(&mut self, stream: &mut GrpcStream) {
        let now = self.worker.now();
        let by_host = self.asked.as_ref().map(|asked| asked.by_host);
        let taken = by_host.map(|by_host| self.reports.take(by_host, now));
        let request = LoadStatsRequest {
            node: Some(self.node.clone()),
            cluster_stats: taken.unwrap_or_default(),
        };
        stream.send(&request.encode_to_vec());
        self.stats.responses().inc();
        self.wait();
    }

    fn hold(&mut self) {
        self.stats.errors().inc();
        self.wait();
    }

    fn on_message(&mut self, message: &[u8]) {
        self.stats.requests().inc();
        match LoadStatsResponse::decode(message) {
            Ok(response) => self.ask(&response),
            Err(error) => log!(
                logger::UPSTREAM,
                Level::Warning,
                "load reporter: a message is malformed: {error}"
            ),
        }
    }
}

impl LoadReporter {
    async fn run(mut self, client: GrpcClient) {
        let worker = Rc::clone(&self.worker);
        loop {
            let mut stream = client.open(PATH);
            self.asked = None;
            self.report(&mut stream);
            keep_reporting(&mut self, &worker, stream).await;
            self.stats.errors().inc();
            sleep_until(&worker, worker.now() + RETRY_DELAY).await;
            self.stats.retries().inc();
        }
    }

    /// Reports of the clusters that are asked for now.
    fn ask(&mut self, response: &LoadStatsResponse) {
        let now = self.worker.now();
        self.reports.track(response, now);
        let interval = response.load_reporting_interval.unwrap_or_default();
        let seconds = u64::try_from(interval.seconds).unwrap_or(0);
        let nanos = u32::try_from(interval.nanos).unwrap_or(0);
        // A century is as good as for ever, and can be added to times.
        let interval =
            Duration::from_secs(seconds.min(3_153_600_000)) + Duration::from_nanos(nanos.into());
        self.asked = Some(Asked {
            by_host: response.report_endpoint_granularity,
            // Time has to pass between reports, whatever is asked for.
            interval: interval.max(Duration::from_millis(1)),
            due: now,
        });
        self.wait();
    }

    fn wait(&mut self) {
        if let Some(asked) = &mut self.asked {
            asked.due = self.worker.now() + asked.interval;
        }
    }
}
