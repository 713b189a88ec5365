//! Tickets that change after they were read.

use std::fs;
use std::path::Path;

use system_tests::decimal::Decimal;
use system_tests::door::DoorSettings;
use system_tests::till::{Format, Pattern, TillSettings};
use system_tests::world::{Receiver, Registers, World, until};

use crate::support::{LONG, agent, must_be_exact, must_drain};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_ticket_cancelled_in_an_export_is_reversed() {
    let folder = tempfile::tempdir().unwrap();
    let (world, _) = export(folder.path(), Format::JsonLines).await;
    let mut till = world.registers.first().unwrap();
    let mut agent = world.setup.start().unwrap();
    till.sell(&[("A", Decimal::units(-5))]).unwrap();
    till.sell(&[("A", Decimal::units(-2)), ("B", Decimal::units(-1))]).unwrap();
    must_drain(&world, &mut agent).await;
    till.cancel_last().unwrap();
    must_drain(&world, &mut agent).await;
    assert_eq!(sum(&world, "A"), Decimal::units(-5));
    assert_eq!(sum(&world, "B"), Decimal::ZERO);
    must_be_exact(&world, agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_edited_ticket_gives_the_difference_and_a_deleted_one_the_reverse() {
    let folder = tempfile::tempdir().unwrap();
    let (world, path) = export(folder.path(), Format::Csv).await;
    let agent = world.setup.start().unwrap();
    let wanted = |a: i64, b: i64| (Decimal::units(a), Decimal::units(b));
    for (rows, expected) in [
        (&["T1,1,A,3", "T1,2,B,1", "T2,1,A,1", "T3,1,B,4"][..], wanted(-4, -5)),
        // T1 is edited.
        (&["T1,1,A,2", "T1,2,B,1", "T2,1,A,1", "T3,1,B,4"], wanted(-3, -5)),
        // A line of T1 and the whole of T2 are gone.
        (&["T1,1,A,2", "T3,1,B,4"], wanted(-2, -4)),
        // The same again is nothing.
        (&["T1,1,A,2", "T3,1,B,4"], wanted(-2, -4)),
        // T2 is back, and a line has come twice.
        (&["T1,1,A,2", "T2,1,A,1", "T2,2,A,1", "T3,1,B,4"], wanted(-4, -4)),
    ] {
        write_export(&path, rows);
        until(&format!("{rows:?} arrives"), LONG, || Ok((sum(&world, "A"), sum(&world, "B")) == expected))
            .await
            .unwrap();
    }
    agent.terminate().await.unwrap();
    assert!(world.setup.audit().unwrap().conserved);
    assert_eq!((sum(&world, "A"), sum(&world, "B")), wanted(-4, -4));
}

async fn export(folder: &Path, format: Format) -> (World, std::path::PathBuf) {
    let path = folder.join("export");
    let plain = TillSettings::journal("R1", format, &path, &folder.join("R1.printed"), vec!["A".to_owned()]);
    let till = TillSettings { pattern: Pattern::ExportRenamed, ..plain };
    let receiver = Receiver::door(DoorSettings::default()).await.unwrap();
    (World::new(agent(), folder, receiver, Registers::of(vec![till])).unwrap(), path)
}

fn write_export(path: &Path, rows: &[&str]) {
    let mut text = "transaction,register,line,sold_at,status,kind,sku,name,quantity,price\r\n".to_owned();
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let (ticket, line, sku, quantity) = (cells[0], cells[1], cells[2], cells[3]);
        text.push_str(&format!(
            "{ticket},R1,{line},2026-03-01T10:00:0{line}Z,completed,sale,{sku},\"Article, {sku}\",{quantity},2.50\r\n"
        ));
    }
    let beside = path.with_extension("part");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

fn sum(world: &World, sku: &str) -> Decimal {
    world.receiver.as_door().unwrap().sums().get(sku).copied().unwrap_or(Decimal::ZERO)
}
