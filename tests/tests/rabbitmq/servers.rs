//! Several servers of one address: clients are spread over them, move on when one ends, and may share all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use communica::{Context, Error, Reason, RouteTable};
use communica_tests::broker;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::over_rabbitmq::cable::Cable;
use crate::over_rabbitmq::desk::{Builder, Desk};
use crate::over_rabbitmq::raw::Raw;
use crate::over_rabbitmq::support::{
    Calls, Gate, Notes, address, blocking, client, connect, desk, eventually, fresh, queue, quick, serve,
    shared, unsettled, within,
};

/// Measured: a process that is killed, until the last of its clients has its answers from another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_killed_server_are_served_by_the_others() {
    const CLIENTS: usize = 12;
    within(60, async {
        // Of a user's settings only the defaults.
        let connector = communica::RmqConnector::new(shared().await.url(), "spread");
        let mut servers = Vec::new();
        for name in ["one", "two", "three"] {
            servers.push(Builder::server(&connector, name).start().await);
        }
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            clients.push(connect(&connector, &format!("w{number}")).await);
        }
        let calls: Vec<_> = (0..)
            .step_by(100)
            .zip(&clients)
            .map(|(first, client)| Calls::start(client, "hold", first..first + 5))
            .collect();
        let mut handled = noted(&mut servers, CLIENTS * 5).await;
        let most = (0..servers.len()).max_by_key(|server| handled[*server].len()).expect("there are some");
        let (killed, mut lost) = (servers.remove(most), handled.remove(most));
        let since = Instant::now();
        killed.kill().await;
        for server in &mut servers {
            server.command("open").await;
        }
        for calls in calls {
            calls.are_answered().await;
        }
        let took = since.elapsed();
        eprintln!("a server was killed: its {} calls had their answers after {took:?}", lost.len());
        assert!(took < Duration::from_secs(20), "it took {took:?}");
        let mut again = noted(&mut servers, lost.len()).await.concat();
        for server in &mut servers {
            again.extend(notes(&server.rest(Duration::from_millis(500)).await));
        }
        again.sort_unstable();
        lost.sort_unstable();
        assert_eq!(again, lost, "the others handled what the killed one had, and nothing twice");
        for client in &clients {
            Calls::start(client, "times_ten", 0..3).are_answered().await;
        }
    })
    .await;
}

/// What handlers of each were given, until it is so much of all of them together.
async fn noted(servers: &mut [Desk], count: usize) -> Vec<Vec<i64>> {
    let mut handled = vec![Vec::new(); servers.len()];
    while handled.iter().map(Vec::len).sum::<usize>() < count {
        for (server, handled) in servers.iter_mut().zip(&mut handled) {
            handled.extend(notes(&server.rest(Duration::from_millis(50)).await));
        }
    }
    handled
}

fn notes(said: &[Value]) -> Vec<i64> {
    said.iter().filter_map(|line| line.get("note")?.as_i64()).collect()
}

/// A newer process under the id of an older one, served by another server than that: the older one is told and stops,
/// and what the old server had asked of it ends or is answered by the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_client_is_told_also_when_the_newer_one_has_another_server() {
    within(60, async {
        let (connector, gate) = (fresh("moved").await, Gate::shut());
        let servers = [serve(&connector, desk(&gate).0).await, serve(&connector, desk(&gate).0).await];
        let (routes, mut at_older) = desk(&gate);
        let older = client(&connector, "w1").routes(routes).connect().await.unwrap();
        let is_here = |number: usize| servers[number].peers().iter().any(|peer| peer.client_id() == "w1");
        eventually("it is at one of them", async || is_here(0) || is_here(1)).await;
        let old = usize::from(!is_here(0));
        let calls = Calls::start(servers[old].peer("w1").await, "hold", 0..5);
        at_older.take(5).await;

        // The broker gives knocks to one server after the other: this one's turn is the other's.
        let (routes, _at_newer) = desk(&gate);
        let newer = client(&connector, "w1").routes(routes).connect().await.unwrap();
        within(10, older.closed()).await;
        let ended = older.request::<_, i64>("times_ten", &1).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::Replaced))), "{ended:?}");
        eventually("only the other has it", async || is_here(1 - old) && !is_here(old)).await;
        for ended in calls.ends().await {
            assert!(matches!(ended, Err(Error::MayHaveRun(Reason::Disconnected(_)))), "{ended:?}");
        }
        Calls::start(&newer, "times_ten", 0..5).are_answered().await;
        gate.open();
        Calls::start(servers[1 - old].peer("w1").await, "hold", 0..5).are_answered().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_queue_shares_requests_out_and_loses_none_when_a_server_is_killed() {
    const FIRST: usize = 300;
    within(60, async {
        let connector = fresh("work").await.work_queue();
        let mut servers = Vec::new();
        for name in ["one", "two", "three"] {
            servers.push(Builder::server(&connector, name).start().await);
        }
        let client = connect(&connector, "w1").await;
        let since = Instant::now();
        let shares = shares(ask(&client, FIRST).await);
        eprintln!("{FIRST} requests were shared out as {shares:?} in {:?}", since.elapsed());
        assert_eq!(shares.len(), 3, "not every server had a share: {shares:?}");
        // What it did so far, and then a part of what comes.
        servers[0].take("note", shares["one"]).await;
        let asking = tokio::spawn({
            let client = client.clone();
            async move { ask(&client, 600).await }
        });
        servers[0].take("note", 20).await;
        let killed = servers.remove(0);
        killed.kill().await;
        eprintln!("one was killed on the way: {:?}", self::shares(asking.await.unwrap()));
    })
    .await;
}

/// All at once; the names of those who answered.
async fn ask(client: &communica::RouteClient, count: usize) -> Vec<String> {
    let asking: Vec<_> = (0..count)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.request::<_, String>("share", &number).await })
        })
        .collect();
    let mut names = Vec::new();
    for call in asking {
        names.push(timeout(Duration::from_secs(40), call).await.expect("it ends").unwrap().unwrap());
    }
    names
}

fn shares(names: Vec<String>) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for name in names {
        *shares.entry(name).or_default() += 1;
    }
    shares
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_of_the_work_queue_calls_its_client_back() {
    within(60, async {
        let connector = fresh("callback").await.work_queue();
        let _servers = [
            Builder::server(&connector, "one").start().await,
            Builder::server(&connector, "two").start().await,
            Builder::server(&connector, "three").start().await,
        ];
        let (routes, _notes) = desk(&Gate::shut());
        let client = client(&connector, "w1").routes(routes).connect().await.unwrap();
        for number in 0..60 {
            assert_eq!(client.request::<_, i64>("back", &number).await.unwrap(), number * 10 + 1);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_was_published_while_no_server_was_there_is_done_by_the_next() {
    within(60, async {
        let (connector, gate) = (fresh("absent").await.work_queue(), Gate::shut());
        gate.open();
        let connector = connector.check_period(Duration::from_secs(60));
        let server = serve(&connector, desk(&gate).0).await;
        let client = connect(&connector, "w1").await;
        drop(server);
        let mut raw = Raw::connect(&shared().await.url()).await;
        let work = queue(&connector, "work");
        raw.has_no_consumer(&work).await;
        let calls = Calls::start(&client, "hold", 0..50);
        for number in 50..100 {
            client.throw("note", &number).await.unwrap();
        }
        eventually("all of it waits", async || raw.waiting(&work).await == Some(100)).await;
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        calls.are_answered().await;
        let mut handled = notes.take(100).await;
        handled.sort_unstable();
        assert_eq!(handled, (0..100).collect::<Vec<_>>());
        eventually("nothing is left", async || raw.waiting(&work).await == Some(0)).await;
    })
    .await;
}

/// The server hears of them by their work and by their knock, in either order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_back_together_with_their_work_stay() {
    within(60, async {
        let (connector, gate) = (fresh("together").await.work_queue(), Gate::shut());
        gate.open();
        let mut server = serve(&connector, desk(&gate).0).await;
        let mut clients = Vec::new();
        for number in 0..20 {
            clients.push(connect(&connector, &format!("w{number}")).await);
        }
        for _ in 0..3 {
            drop(server);
            let calls: Vec<_> = clients.iter().map(|client| Calls::start(client, "hold", 0..5)).collect();
            sleep(Duration::from_millis(300)).await;
            server = serve(&connector, desk(&gate).0).await;
            for calls in calls {
                calls.are_answered().await;
            }
        }
        for client in &clients {
            Calls::start(client, "times_ten", 0..3).are_answered().await;
        }
        drop(server);
    })
    .await;
}

/// A client that a busy worker lost sight of meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_outlasts_a_loss_of_its_client_is_answered() {
    within(60, async {
        let connector = fresh("outlast").await.work_queue().work_prefetch(1);
        let mut servers = Vec::new();
        for name in ["one", "two", "three"] {
            servers.push(Builder::server(&connector, name).start().await);
        }
        let cable = Cable::to(shared().await).await;
        let far = quick(cable.url(), address(&connector)).work_queue();
        let client = connect(&far, "w1").await;
        let calls = Calls::start(&client, "hold", 0..3);
        for server in &mut servers {
            server.take("note", 1).await;
        }
        // Longer than the servers look after it.
        cable.cut();
        sleep(Duration::from_secs(2)).await;
        cable.mend();
        for server in &mut servers {
            server.command("open").await;
        }
        calls.are_answered().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_leaves_what_it_did_not_start_to_the_next() {
    within(60, async {
        let (connector, gate) = (fresh("stopping").await, Gate::shut());
        let (routes, mut at_first) = desk(&gate);
        let first = communica::RouteServer::new(connector.clone(), routes)
            .limits(communica::Limits::new().running(5))
            .start()
            .await
            .unwrap();
        let (routes, mut at_client) = desk(&gate);
        let client = client(&connector, "w1").routes(routes).connect().await.unwrap();
        let peer = first.peer("w1").await;
        let calls = Calls::start(&client, "hold", 0..5);
        at_first.take(5).await;
        for number in 0..100 {
            peer.throw("note", &number).await.unwrap();
        }
        let stopping = tokio::spawn(async move { first.stop().await });
        // It hears no more knocks when it has begun to stop, and starts none of these.
        let raw = Raw::connect(&shared().await.url()).await;
        raw.has_no_consumer(&queue(&connector, "connect.server")).await;
        let later = Calls::start(&client, "hold", 5..25);
        gate.open();
        calls.are_answered().await;
        stopping.await.unwrap();
        assert_eq!(at_client.take(100).await, (0..100).collect::<Vec<_>>());
        assert!(at_first.is_empty(), "a server that stops started something");
        let (routes, mut at_second) = desk(&gate);
        let _second = serve(&connector, routes).await;
        later.are_answered().await;
        let mut handled = at_second.take(20).await;
        handled.sort_unstable();
        assert_eq!(handled, (5..25).collect::<Vec<_>>());
    })
    .await;
}

/// Acknowledged when it arrives is what was taken in, and not what a server that stops does not take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_acknowledges_nothing_that_it_does_not_take() {
    within(60, async {
        let (connector, gate) = (fresh("stopping").await.ack_on_arrival(), Gate::shut());
        let (routes, mut at_first) = desk(&gate);
        let first = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        let calls = Calls::start(&client, "hold", 0..1);
        at_first.take(1).await;
        let to_server = queue(&connector, "toServer.w1");
        eventually("what came is acknowledged", async || unsettled(&to_server).await == Some(0)).await;
        let stopping = tokio::spawn(async move { first.stop().await });
        let raw = Raw::connect(&shared().await.url()).await;
        raw.has_no_consumer(&queue(&connector, "connect.server")).await;
        for number in 1..=20 {
            client.throw("note", &number).await.unwrap();
        }
        // They come, and what is settled is acknowledged within some milliseconds.
        sleep(Duration::from_millis(200)).await;
        gate.open();
        calls.are_answered().await;
        stopping.await.unwrap();
        assert!(at_first.is_empty(), "a server that stops started something");
        let (routes, mut at_second) = desk(&gate);
        let _second = serve(&connector, routes).await;
        assert_eq!(at_second.take(20).await, (1..=20).collect::<Vec<_>>());
    })
    .await;
}

/// It has just taken the first work of a client that it does not know, and has to wait for handlers of others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_that_a_server_took_before_it_stops_is_done_by_another() {
    const HELD: usize = 10;
    const THROWS: std::ops::Range<i64> = 100..120;
    within(60, async {
        let (connector, gate) = (fresh("leaving").await.work_queue(), Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let home = serve(&connector, routes.clone()).await;
        let (client, other) = (connect(&connector, "w1").await, connect(&connector, "w2").await);
        let (asked, mut is_asked) = tokio::sync::mpsc::unbounded_channel();
        let (answer, answered) = std::sync::mpsc::channel();
        let answered = std::sync::Mutex::new(answered);
        let hesitant = communica::RouteServer::new(connector.clone(), routes).authorize(move |applicant| {
            if applicant.client_id() == "w2" {
                return Ok(());
            }
            asked.send(()).unwrap_or_default();
            answered.lock().unwrap().recv().map_err(|_| "the test is over".to_owned())
        });
        let hesitant = hesitant.start().await.unwrap();
        let held = Calls::start(&other, "hold", 0..HELD as i64);
        notes.take(HELD).await;
        assert_eq!(hesitant.peers().len(), 1, "it has a share in that");
        for number in THROWS {
            client.throw("note", &number).await.unwrap();
        }
        is_asked.recv().await.unwrap();
        let stopping = tokio::spawn(async move { hesitant.stop().await });
        let raw = Raw::connect(&shared().await.url()).await;
        let work = queue(&connector, "work");
        eventually("it reads no more", async || raw.consumers(&work).await == 1).await;
        answer.send(()).unwrap();
        let mut noted = notes.take(THROWS.count()).await;
        noted.sort_unstable();
        assert_eq!(noted, THROWS.collect::<Vec<_>>());
        gate.open();
        held.are_answered().await;
        stopping.await.unwrap();
        home.stop().await;
    })
    .await;
}

/// Where clients knock, and what servers tell each other, goes on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_queue_that_is_lost_is_read_again_and_nothing_else_is() {
    within(60, async {
        let (connector, gate) = (fresh("lost").await.work_queue(), Gate::shut());
        let _server = serve(&connector, desk(&gate).0).await;
        let raw = Raw::connect(&shared().await.url()).await;
        let (work, knocks) = (queue(&connector, "work"), queue(&connector, "connect.server"));
        let before = readers(&knocks).await;
        raw.delete(&work).await;
        eventually("it is read again", async || !readers(&work).await.is_empty()).await;
        // Another reader has another tag. What the broker lists while much changes may miss some.
        eventually("who reads the knocks stayed", async || readers(&knocks).await == before).await;
        let client = connect(&connector, "w1").await;
        Calls::start(&client, "times_ten", 0..5).are_answered().await;
    })
    .await;
}

/// What the broker knows of those who read this queue.
async fn readers(queue: &str) -> Vec<String> {
    let list = ["list_consumers", "queue_name", "consumer_tag", "channel_pid"];
    let list = blocking(move || broker::shared().ctl(&list)).await;
    list.lines().filter(|line| line.starts_with(&format!("{queue}\t"))).map(str::to_owned).collect()
}

/// The other servers take its clients when it says goodbye, and no call fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_can_be_replaced_one_by_one_under_load() {
    within(60, async {
        let connector = fresh("rolling").await;
        let (noted, mut notes) = Notes::new();
        let routes = move || {
            let noted = noted.clone();
            RouteTable::new().route("work", move |_: Context, number: i64| {
                noted.send(number).unwrap_or_default();
                async move {
                    sleep(Duration::from_millis(3)).await;
                    number * 10
                }
            })
        };
        let mut server = serve(&connector, routes()).await;
        let client = connect(&connector, "w1").await;
        let calling = tokio::spawn(async move {
            for number in 0..300 {
                assert_eq!(client.request::<_, i64>("work", &number).await.unwrap(), number * 10);
            }
        });
        for _ in 0..3 {
            notes.take(50).await;
            let next = serve(&connector, routes()).await;
            std::mem::replace(&mut server, next).stop().await;
        }
        calling.await.unwrap();
        assert_eq!(notes.take(150).await.last(), Some(&299));
        assert!(notes.is_empty(), "a request was handled twice");
    })
    .await;
}
