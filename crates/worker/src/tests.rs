//! Workers, hand-over and timers, on real threads.

use crate::timer::sleep_until;
use crate::{Published, WorkerThread, retire, run_main};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn messages_arrive_in_order_and_published_values_follow_them() {
    let workers: Vec<_> = (0..2)
        .map(|index| WorkerThread::start(index).unwrap())
        .collect();
    let handles: Vec<_> = workers
        .iter()
        .map(|worker| worker.handle().clone())
        .collect();
    let value = Published::new(Arc::new(1), handles.clone());
    for handle in &handles {
        let (sender, receiver) = channel();
        for _ in 0..2 {
            let (sender, value) = (sender.clone(), value.clone());
            handle.post(move |worker| sender.send(*value.on(worker).get()).unwrap());
        }
        assert_eq!([receiver.recv().unwrap(), receiver.recv().unwrap()], [1, 1]);
    }
    value.publish(Arc::new(2));
    for handle in &handles {
        let (sender, receiver) = channel();
        let value = value.clone();
        handle.post(move |worker| sender.send(*value.on(worker).get()).unwrap());
        assert_eq!(receiver.recv().unwrap(), 2);
    }
}

#[test]
fn timers_wake_in_order_also_when_a_nearer_one_is_armed_later() {
    let order = run_main(|worker| async move {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let start = worker.now();
        for delay in [60, 20, 40] {
            let (sender, own) = (sender.clone(), worker.clone());
            worker.spawn(async move {
                sleep_until(&own, start + Duration::from_millis(delay)).await;
                assert!(own.now() >= start + Duration::from_millis(delay));
                sender.send(delay).unwrap();
            });
            tokio::task::yield_now().await;
        }
        let mut order = Vec::new();
        while order.len() < 3 {
            order.extend(receiver.recv().await);
        }
        order
    });
    assert_eq!(order.unwrap(), [20, 40, 60]);
}

#[test]
fn who_is_woken_early_leaves_no_timer_behind() {
    run_main(|worker| async move {
        let hour = worker.now() + Duration::from_secs(3600);
        let mut sleep = Box::pin(sleep_until(&worker, hour));
        std::future::poll_fn(|task| {
            assert!(sleep.as_mut().poll(task).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        assert_eq!(worker.timers().armed(), 1);
        drop(sleep);
        assert_eq!(worker.timers().armed(), 0);
    })
    .unwrap();
}

#[test]
fn messages_leave_time_for_others() {
    let worker = WorkerThread::start(0).unwrap();
    let (sender, receiver) = channel();
    for _ in 0..20 {
        let sender = sender.clone();
        worker.handle().post(move |worker| {
            std::thread::sleep(Duration::from_millis(1));
            sender.send("message").unwrap();
            worker.spawn(async move { sender.send("other").unwrap() });
        });
    }
    let order: Vec<_> = receiver.iter().take(40).collect();
    let first = order.iter().position(|what| *what == "other").unwrap();
    assert!(first < 10, "{order:?}");
}

#[test]
fn main_frees_what_was_replaced() {
    let left = run_main(|worker| async move {
        let value = Arc::new(1);
        let (weak, held) = (Arc::downgrade(&value), Arc::clone(&value));
        retire(&worker, value);
        sleep_until(&worker, worker.now() + Duration::from_millis(600)).await;
        let in_use = weak.strong_count();
        drop(held);
        sleep_until(&worker, worker.now() + Duration::from_millis(600)).await;
        (in_use, weak.strong_count())
    });
    assert_eq!(left.unwrap(), (2, 0));
}
