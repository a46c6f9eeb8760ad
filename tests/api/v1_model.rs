//! Whatever is asked in whatever order: a plain model of what deletions mean predicts every outcome, every row and every
//! entry of the ledger.

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use expunge::services::tokens;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

use self::world::{DAY, Filter, Item, Kind, Options, Row, Selection, State, Told, World};
use crate::support::{Answer, TestApp, test_clock};

const SEQUENCES: u64 = 30;
const STEPS: usize = 48;

/// Few numbers, names and references, so that they are taken, given away and taken again.
const NUMBERS: [(&str, &str); 7] = [
    ("91", "9876543210"),
    ("91", "9876543211"),
    ("91", "9876543212"),
    ("91", "9876543313"),
    ("44", "2079460101"),
    ("44", "2079460102"),
    ("44", "2079460103"),
];
const RECORD_NUMBERS: [&str; 5] = ["14155550100", "14155550101", "14155550102", "442079460101", "442079460102"];
const REFERENCES: [&str; 4] = ["1", "2", "3", "4"];
const NAMES: [&str; 4] = ["Winter", "Spring", "Summer", "Autumn"];

#[tokio::test]
async fn every_sequence_of_deletions_restores_and_purges_ends_as_the_model_says() {
    let seed = match std::env::var("EXPUNGE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("the seed is a number"),
        Err(_) => rand::random::<u64>(),
    };
    println!("EXPUNGE_TEST_SEED={seed}");
    let started = Instant::now();
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    for sequence in 0..SEQUENCES {
        println!("sequence {sequence}");
        let mut run = Run::start(StdRng::seed_from_u64(seed ^ (sequence << 32))).await;
        for step in 0..STEPS {
            run.pass(1);
            run.step(step).await;
            run.check_rows().await;
        }
        run.end().await;
        for word in run.world.operations.values().flat_map(|operation| &operation.told).map(|told| &told.word) {
            *said.entry(word.clone()).or_default() += 1;
        }
    }
    println!("{SEQUENCES} sequences in {:?} said {said:?}", started.elapsed());
    for word in
        ["DELETED", "RESTORED", "PURGED", "KEY_RETAKEN", "ALREADY_RESTORED", "ALREADY_PURGED", "IN_USE", "ROLLED_BACK"]
    {
        assert!(said.contains_key(word), "{word} was never said: the sequences are too tame");
    }
}

/// An application and the model that is to agree with it.
struct Run {
    app: TestApp,
    seconds: Arc<AtomicI64>,
    random: StdRng,
    world: World,
}

impl Run {
    async fn start(random: StdRng) -> Self {
        let (clock, seconds) = test_clock();
        let app = TestApp::start_at(clock).await;
        let world = World { now: seconds.load(Ordering::SeqCst), ..World::default() };
        // The account's first upkeep; the next one is when the clock has moved by days.
        app.work().await;
        Self { app, seconds, random, world }
    }

    fn pass(&mut self, seconds: i64) {
        self.world.now = self.seconds.fetch_add(seconds, Ordering::SeqCst) + seconds;
        let account = &mut self.app.account;
        account.token =
            tokens::sign(&account.client, &account.secret, self.app.clock.now()).expect("a token is signed");
    }

    async fn step(&mut self, step: usize) {
        // Something to begin with.
        let kind_of_step = match step {
            0 => 0,
            1 | 2 => 24,
            3 => 20,
            // What is in the trash before anything is said of its time, and after.
            4 | 14 | 15 | 22 | 26 | 31 => 94,
            10 | 17 | 23 | 27 | 32 => 99,
            5 | 19 => 92,
            _ => self.random.random_range(0..100),
        };
        match kind_of_step {
            0..15 => self.create_contacts().await,
            15..19 => self.create_contact_list().await,
            19..23 => self.create_campaign().await,
            23..32 => self.create_records().await,
            32..37 => self.attach().await,
            37..44 => self.delete_one().await,
            44..52 => self.delete_bulk().await,
            52..62 => self.delete_items().await,
            62..71 => self.delete_matching().await,
            71..80 => self.restore().await,
            80..91 => self.undo().await,
            91..93 => self.hold().await,
            93..95 => self.set_retention().await,
            95..96 => self.cancel().await,
            _ => self.days_pass().await,
        }
        if self.world.pending.is_some() {
            match self.random.random_range(0..6) {
                0 => self.cancel().await,
                // Else it waits, and things come and go meanwhile.
                1..4 => self.work().await,
                _ => {}
            }
        }
    }

    fn chance(&mut self, numerator: u32, denominator: u32) -> bool {
        self.random.random_ratio(numerator, denominator)
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        all.choose(&mut self.random).cloned()
    }

    fn ids(&self, is_wanted: impl Fn(&Row) -> bool) -> Vec<String> {
        // In the order in which they were made: the ids themselves come by chance.
        let mut rows: Vec<&Row> = self.world.rows.values().filter(|row| is_wanted(row)).collect();
        rows.sort_by_key(|row| row.order);
        rows.into_iter().map(|row| row.id.clone()).collect()
    }

    fn add(&mut self, row: Row) {
        let order = self.world.rows.len();
        self.world.rows.insert(row.id.clone(), Row { order, ..row });
    }

    fn live(&self, kind: Kind) -> Vec<String> {
        self.ids(|row| row.kind == kind && row.state == State::Live)
    }

    async fn create_contacts(&mut self) {
        let stream = self.app.account.stream.clone();
        let count = self.random.random_range(2..6);
        let numbers: Vec<(&str, &str)> = NUMBERS.choose_multiple(&mut self.random, count).copied().collect();
        let new: Vec<Value> = numbers
            .iter()
            .map(|(code, number)| {
                let phone = json!({"extension": "+", "phoneNumber": number, "countryCode": format!("+{code}")});
                json!({"firstName": "john", "lastName": "doe", "cellPhone": phone})
            })
            .collect();
        let created = self.app.post(&self.app.account.contacts_path(), &json!(new)).await.expect(200);
        for (index, (code, number)) in numbers.into_iter().enumerate() {
            let digits = format!("{code}{number}");
            let created = &created[index];
            match self.world.holder(Kind::Contact, &stream, &digits) {
                Some(holder) => assert_eq!(created["conflictingId"], holder.id.as_str(), "{created}"),
                None => {
                    let id = created["id"].as_str().unwrap_or_else(|| panic!("not created: {created}"));
                    let row = Row::new(Kind::Contact, id, &stream, self.world.now);
                    let row = Row { key: Some(digits.clone()), number: Some(digits), ..row };
                    self.add(row);
                }
            }
        }
    }

    async fn create_contact_list(&mut self) {
        let stream = self.app.account.stream.clone();
        let name = self.one_of(&NAMES).expect("there are names");
        let path = self.app.account.family("/campaign/contactList/createContactList");
        let new = json!({"name": name, "description": "d", "source": "passiveApi", "allowDuplicates": true});
        let answer = self.app.post(&path, &new).await;
        if self.world.holder(Kind::ContactList, &stream, &name.to_lowercase()).is_some() {
            answer.expect(409);
            return;
        }
        let id = answer.expect(200)["data"]["_id"].as_str().expect("a list has an id").to_owned();
        let row = Row::new(Kind::ContactList, &id, &stream, self.world.now);
        let row = Row { key: Some(name.to_lowercase()), name: name.to_owned(), ..row };
        self.add(row);
        let people = &RECORD_NUMBERS[..self.random.random_range(0..3)];
        if !people.is_empty() {
            self.app.members(name, people).await;
        }
        let members: Vec<String> =
            sqlx::query_scalar("SELECT id FROM contact_list_members WHERE list_id = $1 ORDER BY phone_key")
                .bind(&id)
                .fetch_all(&self.app.admin)
                .await
                .expect("members");
        assert_eq!(members.len(), people.len());
        for member in members {
            self.add(Row::new(Kind::Member, &member, &id, self.world.now));
        }
    }

    async fn create_campaign(&mut self) {
        let lists = self.live(Kind::ContactList);
        let Some(list) = self.one_of(&lists) else { return self.create_contact_list().await };
        let id = self.app.campaign("calls", &self.world.rows[&list].name).await;
        let row = Row::new(Kind::Campaign, &id, &self.app.account.stream, self.world.now);
        self.add(row);
        self.world.links.insert((id, list), true);
    }

    async fn create_records(&mut self) {
        let lists = self.live(Kind::RecordList);
        let list = match self.one_of(&lists).filter(|_| lists.len() > 2 || !lists.is_empty() && self.chance(2, 3)) {
            Some(list) => list,
            None => {
                let unique = self.one_of(&["PHONE_NUMBER", "NOTHING"]).expect("there are two");
                let id = self.app.record_list(unique).await;
                let row = Row::new(Kind::RecordList, &id, "", self.world.now);
                self.add(Row { name: unique.to_owned(), ..row });
                id
            }
        };
        let is_unique = self.world.rows[&list].name == "PHONE_NUMBER";
        let count = self.random.random_range(1..4);
        let numbers: Vec<&str> = RECORD_NUMBERS.choose_multiple(&mut self.random, count).copied().collect();
        for number in numbers {
            let reference = self.one_of(&REFERENCES).filter(|_| self.chance(1, 2));
            let priority = self.random.random_range(1..4_i64);
            let mut new = json!({"first_name": "a", "last_name": "b", "phone_number": format!("+{number}"), "priority": priority});
            if let Some(reference) = reference {
                new["external_provider"] = json!("crm");
                new["external_id"] = json!(reference);
            }
            let path = format!("/record-lists/{list}/records/bulks");
            let created = self.app.post(&path, &json!({"records": [new]})).await;
            let key = Some(number.to_owned()).filter(|_| is_unique);
            if key.as_deref().is_some_and(|key| self.world.holder(Kind::Record, &list, key).is_some()) {
                assert!(created.text.contains("\"has_errors\":true"), "{created:?}");
                continue;
            }
            let created = created.expect(201);
            let id = created["_embedded"]["records"][0]["id"].as_str().unwrap_or_else(|| panic!("{created}"));
            let row = Row::new(Kind::Record, id, &list, self.world.now);
            let (number, external) = (Some(number.to_owned()), reference.map(str::to_owned));
            let row = Row { key, number, external, priority: Some(priority), ..row };
            self.add(row);
        }
    }

    async fn attach(&mut self) {
        let campaigns = self.ids(|row| row.kind == Kind::Campaign);
        let lists = self.ids(|row| row.kind == Kind::RecordList);
        let (Some(campaign), Some(list)) = (self.one_of(&campaigns), self.one_of(&lists)) else { return };
        let (path, body) = (format!("/campaigns/{campaign}/record-lists"), json!([{ "id": list }]));
        let link = (campaign.clone(), list.clone());
        if self.chance(2, 3) {
            let can = self.world.is_live(&campaign) && self.world.is_live(&list);
            self.app.post(&path, &body).await.expect(if can { 204 } else { 404 });
            if can {
                self.world.links.insert(link, true);
            }
        } else {
            let can = self.world.is_live(&campaign) && self.world.links.get(&link) == Some(&true);
            self.app.delete_with(&path, &body).await.expect(if can { 204 } else { 404 });
            if can {
                self.world.links.remove(&link);
            }
        }
    }

    /// A kind of things to delete, and what they are within.
    fn target(&mut self) -> Option<(Kind, String)> {
        let kind = match self.random.random_range(0..100) {
            0..36 => Kind::Contact,
            36..62 => Kind::Record,
            62..75 => Kind::ContactList,
            75..86 => Kind::Campaign,
            _ => Kind::RecordList,
        };
        let within = match kind {
            Kind::RecordList => String::new(),
            Kind::Record => {
                let lists = self.ids(|row| row.kind == Kind::RecordList);
                self.one_of(&lists)?
            }
            Kind::Contact | Kind::ContactList | Kind::Campaign | Kind::Member => self.app.account.stream.clone(),
        };
        Some((kind, within))
    }

    fn within(kind: Kind, within: &str) -> Value {
        match kind {
            Kind::RecordList => Value::Null,
            Kind::Record => json!({ "record_list_id": within }),
            Kind::Contact | Kind::ContactList | Kind::Campaign | Kind::Member => json!({ "stream_id": within }),
        }
    }

    /// Something of that kind: live, in the trash, gone, elsewhere, unknown or malformed.
    fn id(&mut self, kind: Kind, within: &str) -> Item {
        let here = self.ids(|row| row.kind == kind && row.within == within);
        let all = self.ids(|row| row.kind == kind);
        let unknown = match kind {
            Kind::Contact => "00000000c1746a6142900000",
            Kind::ContactList => "cl-c2ce382-2516-457e-8eb4-9847deec0000",
            Kind::Campaign => "cd-5f0e1c7-2516-457e-8eb4-9847deec0000",
            Kind::RecordList | Kind::Record | Kind::Member => "8858c834-481d-4a02-8176-cffc02c50350",
        };
        let id = match self.random.random_range(0..20) {
            0 => return Item::Malformed,
            1 => None,
            2 => self.one_of(&all),
            3..5 => {
                let held = self.ids(|row| row.kind == kind && row.within == within && self.world.is_on_hold(row));
                self.one_of(&held).or_else(|| self.one_of(&here))
            }
            _ => self.one_of(&here),
        };
        Item::Id(id.unwrap_or_else(|| unknown.to_owned()))
    }

    fn item(&mut self, kind: Kind, within: &str) -> Item {
        match (kind, self.random.random_range(0..10)) {
            (Kind::Contact, 0..3) => {
                let (code, number) = self.one_of(&NUMBERS).expect("there are numbers");
                Item::Number(format!("{code}{number}"))
            }
            (Kind::Record, 0..3) => Item::Number(self.one_of(&RECORD_NUMBERS).expect("there are numbers").to_owned()),
            (Kind::Record, 3..5) => Item::External(self.one_of(&REFERENCES).expect("there are some").to_owned()),
            _ => self.id(kind, within),
        }
    }

    /// Things, few of which are named twice.
    fn items(&mut self, count: usize, any: impl Fn(&mut Self) -> Item) -> Vec<Item> {
        let mut items = Vec::new();
        for _ in 0..count {
            let item = any(self);
            if !items.contains(&item) || self.chance(1, 4) {
                items.push(item);
            }
        }
        items
    }

    fn options(&mut self) -> Options {
        let max = self.random.random_range(0..4);
        Options {
            hard: self.chance(1, 6),
            atomic: self.chance(1, 5),
            fail_on_multiple: self.chance(1, 5),
            allow_missing: self.chance(1, 4),
            max: Some(max).filter(|_| self.chance(1, 6)),
        }
    }

    /// Options as parameters of a query, in the spelling of a family.
    fn query(options: &Options, is_camel: bool) -> String {
        let [allow_missing, max_affected] =
            if is_camel { ["allowMissing", "maxAffected"] } else { ["allow_missing", "max_affected"] };
        let mut query = format!("mode={}", if options.hard { "hard" } else { "soft" });
        query += &format!("&atomic={}&{allow_missing}={}", options.atomic, options.allow_missing);
        if let Some(max) = options.max {
            query += &format!("&{max_affected}={max}");
        }
        if options.fail_on_multiple {
            query += "&on_multiple=fail";
        }
        query
    }

    /// One thing, by its family's own path.
    async fn delete_one(&mut self) {
        let Some((kind, within)) = self.target() else { return };
        let item = self.item(kind, &within);
        let is_by_number = kind == Kind::Record && !matches!(item, Item::Id(_) | Item::Malformed);
        let mut options = self.options();
        options.fail_on_multiple &= is_by_number;
        let account = &self.app.account;
        let id = match &item {
            Item::Id(id) => id.clone(),
            // Contacts have no path by number.
            Item::Number(_) | Item::External(_) if !is_by_number => return,
            _ => "x".to_owned(),
        };
        let path = match (kind, &item) {
            (Kind::Record, Item::Number(digits)) => format!("/record-lists/{within}/records?phone_number=%2B{digits}&"),
            (Kind::Record, Item::External(id)) => {
                format!("/record-lists/{within}/external-records?external_provider=crm&external_id={id}&")
            }
            (Kind::Record, _) => format!("/record-lists/{within}/records/{id}?"),
            (Kind::RecordList, _) => format!("/record-lists/{id}?"),
            (Kind::Contact, _) => account.contact_path(&id) + "?",
            (Kind::ContactList, _) => account.contact_list_path(&id) + "?",
            (Kind::Campaign | Kind::Member, _) => account.campaign_path(&id) + "?",
        };
        let is_camel = !matches!(kind, Kind::Record | Kind::RecordList);
        let path = path + &Self::query(&options, is_camel);
        println!("  DELETE {path}");
        let answer = self.app.delete(&path).await;
        let decided = self.world.decide(kind, &within, std::slice::from_ref(&item), &options);
        let told = match decided {
            Err(refused) => {
                answer.expect(refused.status());
                return;
            }
            Ok(told) => told,
        };
        if !told[0].done {
            let status = match told[0].word.as_str() {
                "NOT_FOUND" | "ALREADY_DELETED" | "INVALID_IDENTIFIER" => 404,
                _ => 409,
            };
            let refusal = answer.expect(status);
            if is_camel && item != Item::Malformed && kind != Kind::Member && status == 409 {
                assert_eq!(refusal["errors"][0]["reason"], told[0].word.as_str(), "{refusal}");
            }
            return;
        }
        assert!(answer.status.is_success(), "{answer:?} is not {told:?}");
        let deletion = answer.header("Deletion-Id").map(str::to_owned);
        assert_eq!(deletion.is_some(), !told[0].rows.is_empty(), "{answer:?}");
        let Some(deletion) = deletion else { return };
        self.world.delete(&deletion, &told, options.hard);
        // It is looked up from the ledger.
        let looked_up = Options { hard: options.hard, ..Options::default() };
        self.world.add(&deletion, "delete", kind, &within, &looked_up, Some(&told));
        self.world.operations.get_mut(&deletion).expect("it was added").kept = false;
        self.check_operation(&deletion).await;
    }

    /// Many, by the paths of the families that have one for it.
    async fn delete_bulk(&mut self) {
        let Some((kind, within)) = self.target() else { return };
        let mut options = self.options();
        let count = self.random.random_range(1..7);
        let path = match kind {
            Kind::Contact => {
                options.fail_on_multiple = false;
                format!("{}?{}", self.app.account.bulk_delete_path(), Self::query(&options, true))
            }
            Kind::Record => format!("/record-lists/{within}/records/bulks?{}", Self::query(&options, false)),
            _ => return self.delete_one().await,
        };
        let way = self.random.random_range(0..3);
        let items = self.items(count, |run| match (kind, way) {
            (Kind::Record, 0) => Item::Number(run.one_of(&RECORD_NUMBERS).expect("numbers").to_owned()),
            (Kind::Record, 1) => Item::External(run.one_of(&REFERENCES).expect("references").to_owned()),
            _ => run.id(kind, &within),
        });
        println!("  DELETE {path} {items:?}");
        let sent: Vec<Value> = items.iter().map(Item::json).collect();
        let body = match kind {
            Kind::Contact => json!({"ids": sent.iter().map(|item| item["id"].clone()).collect::<Vec<_>>()}),
            _ => json!(sent),
        };
        let answer = self.app.delete_with(&path, &body).await;
        let told = match self.world.decide(kind, &within, &items, &options) {
            Err(refused) => return drop(answer.expect(refused.status())),
            Ok(told) => told,
        };
        let deletion = answer.header("Deletion-Id").expect("a bulk can be looked up").to_owned();
        let report = answer.expect(200);
        let failed: Vec<&str> = told.iter().filter(|one| !one.done).map(|one| one.word.as_str()).collect();
        let said = match kind {
            Kind::Contact => &report["failedRecords"],
            _ => &report["_embedded"]["failed_records"],
        };
        let said: Vec<&str> =
            said.as_array().expect("failures").iter().filter_map(|one| one["reason"].as_str()).collect();
        assert_eq!(said, failed, "{report}");
        let done = if kind == Kind::Contact { &report["successful"] } else { &report["total_deleted"] };
        assert_eq!(*done, told.len() - failed.len(), "{report}");
        self.delete_as_told(&deletion, kind, &within, &options, &told).await;
    }

    async fn delete_as_told(&mut self, deletion: &str, kind: Kind, within: &str, options: &Options, told: &[Told]) {
        self.world.delete(deletion, told, options.hard);
        self.world.add(deletion, "delete", kind, within, options, Some(told));
        self.check_operation(deletion).await;
    }

    fn body(kind: Kind, within: &str, options: &Options) -> Value {
        json!({
            "resource": kind.name(), "within": Self::within(kind, within), "atomic": options.atomic,
            "mode": if options.hard { "hard" } else { "soft" }, "max_affected": options.max,
            "on_multiple": if options.fail_on_multiple { "fail" } else { "all" }, "allow_missing": options.allow_missing
        })
    }

    /// Things that are named, before the answer or in the background.
    async fn delete_items(&mut self) {
        let Some((kind, within)) = self.target() else { return };
        let mut options = self.options();
        let count = self.random.random_range(1..8);
        let items = self.items(count, |run| run.item(kind, &within));
        let is_queued = self.chance(1, 4) && self.world.pending.is_none();
        options.atomic &= !is_queued;
        let mut body = Self::body(kind, &within, &options);
        body["items"] = json!(items.iter().map(Item::json).collect::<Vec<_>>());
        println!("  POST /v1/deletions {body}");
        let request = self.app.request(Method::POST, "/v1/deletions").json(&body);
        if is_queued {
            let answer = request.header("Prefer", "respond-async").send().await;
            let refused = match self.world.decide(kind, &within, &[], &options) {
                Ok(_) if options.max.is_some_and(|max| max < items.len()) => Some(409),
                Ok(_) => None,
                Err(refused) => Some(refused.status()),
            };
            return self.queued(answer, refused, kind, &within, &options, Selection::Items(items)).await;
        }
        let answer = request.send().await;
        let told = match self.world.decide(kind, &within, &items, &options) {
            Err(refused) => return assert_eq!(answer.expect(refused.status())["reason"], refused.word()),
            Ok(told) => told,
        };
        let report = answer.expect(200);
        assert_eq!(outcomes(&report["outcomes"]), told, "{report}");
        let deletion = report["id"].as_str().expect("an id").to_owned();
        self.delete_as_told(&deletion, kind, &within, &options, &told).await;
    }

    async fn queued(
        &mut self,
        answer: Answer,
        refused: Option<u16>,
        kind: Kind,
        within: &str,
        options: &Options,
        selection: Selection,
    ) {
        if let Some(status) = refused {
            answer.expect(status);
            return;
        }
        let deletion = answer.expect(202)["id"].as_str().expect("an id").to_owned();
        self.world.add(&deletion, "delete", kind, within, options, None);
        self.world.pending = Some((deletion.clone(), selection, false));
        self.check_operation(&deletion).await;
    }

    /// What a filter takes, or everything.
    async fn delete_matching(&mut self) {
        self.work().await;
        let Some((kind, within)) = self.target() else { return };
        let mut options = Options { atomic: false, fail_on_multiple: false, ..self.options() };
        let made: Vec<i64> = self.world.rows.values().map(|row| row.created).collect();
        let sometime = self.one_of(&made).unwrap_or(self.world.now);
        let mut filter = Filter::default();
        match (kind, self.random.random_range(0..6)) {
            (_, 0) => filter.created_before = Some(sometime),
            (_, 1) => {
                options.hard = true;
                filter.deleted_before = Some(sometime);
            }
            (Kind::Contact, 2) => filter.country_code = self.one_of(&["44", "91"]),
            (Kind::Contact, 3) => {
                filter.number_prefix = self.one_of(&["919876543", "9198765432", "44"]).map(str::to_owned);
                filter.created_before = Some(sometime).filter(|_| self.chance(1, 2));
            }
            (Kind::Record, 2) => filter.priority = Some(self.random.random_range(1..4)),
            (Kind::Record, 3) => filter.number_prefix = self.one_of(&["1415", "44"]).map(str::to_owned),
            _ => {}
        }
        let time = |seconds: Option<i64>| seconds.map(instant);
        let said = json!({
            "created_before": time(filter.created_before), "deleted_before": time(filter.deleted_before),
            "country_code": filter.country_code.map(|code| format!("+{code}")), "number_prefix": filter.number_prefix,
            "priority": filter.priority
        });
        let mut body = Self::body(kind, &within, &options);
        match said.as_object().expect("an object").values().all(Value::is_null) {
            true => body["all"] = json!(true),
            false => body["filter"] = said,
        }
        println!("  POST /v1/deletions {body}");
        let matching = self.world.matching(kind, &within, &filter, options.hard, self.world.now);
        let refused = match self.world.decide(kind, &within, &[], &Options::default()) {
            Ok(_) if options.max.is_some_and(|max| max < matching.len()) => Some(409),
            Ok(_) => None,
            Err(refused) => Some(refused.status()),
        };
        if self.chance(1, 5) {
            body["validate_only"] = json!(true);
            let would = self.app.post("/v1/deletions", &body).await;
            match refused {
                Some(status) => _ = would.expect(status),
                None => assert_eq!(would.expect(200)["requested"], matching.len(), "{matching:?}"),
            }
            body["validate_only"] = json!(false);
        }
        let answer = self.app.post("/v1/deletions", &body).await;
        self.queued(answer, refused, kind, &within, &options, Selection::Filter(filter)).await;
    }

    async fn restore(&mut self) {
        let Some((kind, within)) = self.target() else { return };
        // Often what cannot come back: its list is in the trash itself, or its key is another's.
        let stuck = self.ids(|row| matches!(row.state, State::Trashed { .. }) && self.world.is_stuck(row));
        let stuck = self.one_of(&stuck).filter(|_| self.chance(1, 2));
        let (kind, within) = match &stuck {
            Some(id) => (self.world.rows[id].kind, self.world.rows[id].within.clone()),
            None => (kind, within),
        };
        let trashed =
            self.ids(|row| row.kind == kind && row.within == within && matches!(row.state, State::Trashed { .. }));
        let count = self.random.random_range(1..6);
        let mut items = self.items(count, |run| match run.one_of(&trashed).filter(|_| run.chance(3, 4)) {
            Some(id) => Item::Id(id),
            None => run.id(kind, &within),
        });
        items.extend(stuck.map(Item::Id));
        let sent: Vec<Value> = items.iter().map(Item::json).collect();
        let body = json!({"resource": kind.name(), "within": Self::within(kind, &within), "items": sent});
        println!("  POST /v1/trash/restore {body}");
        let report = self.app.post("/v1/trash/restore", &body).await.expect(200);
        let id = report["id"].as_str().expect("an id").to_owned();
        let told = self.world.restore_items(kind, &within, &items, &id);
        assert_eq!(outcomes(&report["outcomes"]), told, "{report}");
        self.check_operation(&id).await;
    }

    async fn undo(&mut self) {
        let all: Vec<String> = self.world.operations.keys().cloned().collect();
        let soft: Vec<String> = all
            .iter()
            .filter(|id| self.world.operations[*id].action == "delete" && !self.world.operations[*id].options.hard)
            .cloned()
            .collect();
        let chosen = if self.chance(5, 6) { self.one_of(&soft) } else { self.one_of(&all) };
        let Some(deletion) = chosen else { return };
        println!("  undo {deletion}");
        let answer = self.app.request(Method::POST, &format!("/v1/deletions/{deletion}/undo")).send().await;
        if let Err(refused) = self.world.undoable(&deletion) {
            return assert_eq!(answer.expect(refused.status())["reason"], refused.word());
        }
        let report = answer.expect(200);
        let id = report["id"].as_str().expect("an id").to_owned();
        assert_eq!(report["undoes"], deletion.as_str());
        let named: Vec<String> = report["outcomes"]
            .as_array()
            .expect("outcomes")
            .iter()
            .map(|one| one["item"]["id"].as_str().expect("an id").to_owned())
            .collect();
        // Those that were taken together come in any order.
        let order = |id: &String| named.iter().position(|named| named == id);
        let operation = &self.world.operations[&deletion];
        let mut rows = self.world.rows_of(&deletion, operation.kind);
        rows.sort_by_key(order);
        assert_eq!(named, rows, "{report}");
        let unordered = self.world.rows_of(&deletion, operation.kind);
        let told: BTreeMap<String, Told> = unordered.into_iter().zip(self.world.undo(&deletion, &id)).collect();
        let told: Vec<Told> = named.iter().map(|id| told[id].clone()).collect();
        assert_eq!(outcomes(&report["outcomes"]), told, "{report}");
        self.check_operation(&id).await;
    }

    /// A row is put on hold or let go, behind the service's back: nothing else does it yet.
    async fn hold(&mut self) {
        let rows = self.ids(|row| matches!(row.kind, Kind::Contact | Kind::Record) && row.state != State::Gone);
        let Some(id) = self.one_of(&rows) else { return };
        let row = self.world.rows.get_mut(&id).expect("it is there");
        row.held = !row.held;
        let table = if row.kind == Kind::Contact { "contacts" } else { "records" };
        println!("  hold {id}: {}", row.held);
        sqlx::query(sqlx::AssertSqlSafe(format!("UPDATE {table} SET held = $2 WHERE id::text = $1")))
            .bind(&id)
            .bind(row.held)
            .execute(&self.app.admin)
            .await
            .expect("a hold");
    }

    async fn cancel(&mut self) {
        let all: Vec<String> = self.world.operations.keys().cloned().collect();
        let chosen = match &self.world.pending {
            Some((id, ..)) => Some(id.clone()),
            None => self.one_of(&all),
        };
        let Some(id) = chosen else { return };
        println!("  cancel {id}");
        let answer = self.app.request(Method::POST, &format!("/v1/deletions/{id}/cancel")).send().await;
        match (&mut self.world.pending, self.world.operations[&id].kept) {
            (Some((_, _, is_cancelled)), _) => {
                answer.expect(202);
                *is_cancelled = true;
            }
            (None, true) => assert_eq!(answer.expect(409)["reason"], "WRONG_STATE"),
            (None, false) => _ = answer.expect(if self.world.looked_up(&id).is_some() { 409 } else { 404 }),
        }
    }

    /// Does what is queued.
    async fn work(&mut self) {
        let Some((id, ..)) = self.world.pending.clone() else { return };
        println!("  work");
        self.app.work().await;
        self.world.work();
        self.check_operation(&id).await;
        self.check_outcomes(&id).await;
    }

    async fn set_retention(&mut self) {
        self.work().await;
        let in_the_trash: Vec<Kind> = Kind::DELETABLE
            .into_iter()
            .filter(|kind| {
                self.world.rows.values().any(|row| row.kind == *kind && matches!(row.state, State::Trashed { .. }))
            })
            .collect();
        let kind = match self.one_of(&in_the_trash).filter(|_| self.chance(3, 4)) {
            Some(kind) => kind,
            None => self.one_of(&Kind::DELETABLE).expect("there are kinds"),
        };
        let days = self.one_of(&[None, Some(1), Some(2), Some(3), Some(1)]).expect("there are some");
        println!("  retention of {}: {days:?}", kind.name());
        let body = json!({kind.name(): days});
        self.app.request(Method::PUT, "/v1/retention").json(&body).send().await.expect(200);
        self.world.retain(kind, days);
        self.upkeep().await;
    }

    async fn days_pass(&mut self) {
        self.work().await;
        let days = self.one_of(&[1, 1, 1, 2, 2, 3, 31]).expect("there are some");
        println!("  {days} days pass");
        self.pass(days * DAY);
        self.upkeep().await;
    }

    async fn upkeep(&mut self) {
        self.app.work().await;
        let purges = self.world.upkeep();
        let found: Vec<(String, String, String, i64)> = sqlx::query_as(
            "SELECT id::text, resource, within, rows_affected FROM deletions WHERE action = 'purge' AND state = 'succeeded'",
        )
        .fetch_all(&self.app.admin)
        .await
        .expect("purges");
        let found: Vec<_> = found.into_iter().filter(|(id, ..)| !self.world.operations.contains_key(id)).collect();
        assert_eq!(found.len(), purges.len(), "{found:?}");
        for purge in purges {
            let is_it = |(_, kind, within, _): &&(String, String, String, i64)| {
                *kind == purge.kind.name() && *within == purge.within
            };
            let (id, _, _, rows) = found.iter().find(is_it).expect("what was purged can be looked up");
            assert_eq!(usize::try_from(*rows).ok(), Some(purge.rows), "{found:?}");
            println!("  purged {rows} of {} {}", purge.kind.name(), purge.within);
            self.world.name_purge(&purge, id);
            self.check_operation(id).await;
        }
    }

    async fn check_operation(&self, id: &str) {
        let answer = self.app.get(&format!("/v1/deletions/{id}")).await;
        let Some(wanted) = self.world.looked_up(id) else { return drop(answer.expect(404)) };
        let found = answer.expect(200);
        let fields =
            ["action", "mode", "state", "requested", "succeeded", "failed", "rows_affected", "reasons", "failure"];
        assert_eq!(json!(fields.map(|field| found[field].clone())), wanted, "{found}");
    }

    async fn check_outcomes(&self, id: &str) {
        let operation = &self.world.operations[id];
        let page = self.app.get(&format!("/v1/deletions/{id}/outcomes?limit=100")).await.expect(200);
        assert_eq!(outcomes(&page["results"]), operation.told, "{page}");
    }

    async fn check_rows(&self) {
        let mut rows: Vec<[String; 5]> = sqlx::query_as::<_, (String, String, String, String, String)>(ROWS)
            .bind(&self.app.account.id)
            .fetch_all(&self.app.admin)
            .await
            .expect("rows")
            .into_iter()
            .map(<[String; 5]>::from)
            .collect();
        rows.sort();
        let wanted = self.world.told_as_rows();
        let only_in = |these: &[[String; 5]], those: &[[String; 5]]| -> Vec<[String; 5]> {
            these.iter().filter(|row| those.binary_search(row).is_err()).cloned().collect()
        };
        assert!(
            rows == wanted,
            "only in the database: {:#?}\nonly in the model: {:#?}",
            only_in(&rows, &wanted),
            only_in(&wanted, &rows)
        );
    }

    async fn end(&mut self) {
        self.work().await;
        self.check_rows().await;
        let all: Vec<String> = self.world.operations.keys().cloned().collect();
        for id in all {
            self.check_operation(&id).await;
            let operation = &self.world.operations[&id];
            if operation.kept && operation.action != "undo" && operation.action != "purge" {
                self.check_outcomes(&id).await;
            }
        }
    }
}

/// Everything that the model has too, in the same words.
const ROWS: &str = "
    WITH things AS (
        SELECT 'contact' AS kind, account_id, id, stream_id AS within, deletion_id, deleted_at, purge_at, version FROM contacts
        UNION ALL SELECT 'contact_list', account_id, id, stream_id, deletion_id, deleted_at, purge_at, version FROM contact_lists
        UNION ALL SELECT 'contact_list_member', account_id, id, list_id, deletion_id, deleted_at, NULL, version
                  FROM contact_list_members
        UNION ALL SELECT 'campaign', account_id, id, stream_id, deletion_id, deleted_at, purge_at, version FROM campaigns
        UNION ALL SELECT 'record_list', account_id, id::text, '', deletion_id, deleted_at, purge_at, version FROM record_lists
        UNION ALL SELECT 'record', account_id, id::text, record_list_id::text, deletion_id, deleted_at, purge_at, version
                  FROM records
    ), links AS (
        SELECT account_id, campaign_id, list_id, list_live FROM campaign_contact_lists
        UNION ALL SELECT account_id, campaign_id, record_list_id::text, list_live FROM campaign_record_lists
    )
    SELECT kind, id, within,
           CASE WHEN deleted_at IS NULL THEN 'live'
                ELSE concat(deletion_id, ' ', extract(epoch FROM deleted_at)::bigint, ' ',
                            coalesce(extract(epoch FROM purge_at)::bigint::text, '-')) END,
           version::text
    FROM things WHERE account_id = $1
    UNION ALL SELECT 'link', campaign_id, list_id, coalesce(list_live, false)::text, '' FROM links WHERE account_id = $1
    UNION ALL SELECT 'ledger of ' || resource, deletion_id::text, action, entry.id, entry.version::text
              FROM ledger, unnest(row_ids, versions) AS entry (id, version) WHERE account_id = $1";

fn instant(seconds: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(seconds).expect("it is a time");
    at.format(&time::format_description::well_known::Rfc3339).expect("it has four digits")
}

/// Outcomes as the model has them.
fn outcomes(said: &Value) -> Vec<Told> {
    let texts = |value: &Value| -> Vec<String> {
        let mut texts: Vec<String> =
            value.as_array().into_iter().flatten().filter_map(|one| Some(one.as_str()?.to_owned())).collect();
        texts.sort();
        texts
    };
    let told = |one: &Value| Told {
        word: one["reason"].as_str().expect("a word").to_owned(),
        done: one["done"].as_bool().expect("done or not"),
        rows: texts(&one["rows"]),
        conflicting: one["conflicting_id"].as_str().map(str::to_owned),
        missing_lists: texts(&one["missing_lists"]),
    };
    said.as_array().expect("outcomes").iter().map(told).collect()
}
