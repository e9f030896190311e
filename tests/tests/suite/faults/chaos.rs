//! Numbered messages flow both ways over links that are cut again and again. The long run is `cargo xtask chaos`.

use communica_tests::chaos::{Plan, Road, run_here};

use crate::support::within;

async fn all_is_well(road: Road, seed: u64) {
    let plan = Plan::new(road, seed, 5_000, 100);
    let reports = within(100, run_here(&plan)).await;
    for report in &reports {
        assert_eq!(report.complaints.count, 0, "{plan}: {reports:#?}");
    }
    let cuts = reports.iter().map(|report| report.cuts).sum::<u64>();
    assert!(cuts >= plan.cuts / 2, "{plan}: links were cut {cuts} times only");
}

// The lowest bits of a seed choose: 1, what is sent is delayed; 2, streams take little at a time; 4, little may be under way.
macro_rules! seeds {
    ($($name:ident: $road:ident, $seed:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            all_is_well(Road::$road, $seed).await;
        }
    )*};
}

seeds! {
    local_sockets_that_are_cut: Local, 4;
    local_sockets_that_are_cut_and_dawdle: Local, 5;
    local_sockets_that_are_cut_and_take_little: Local, 6;
    tcp_that_is_cut: Tcp, 8;
    tcp_that_is_cut_and_dawdles: Tcp, 9;
    tcp_that_is_cut_dawdles_and_takes_little: Tcp, 11;
    memory_that_is_cut: Memory, 12;
    memory_that_is_cut_dawdles_and_takes_little: Memory, 15;
}
