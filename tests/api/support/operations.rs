//! Every operation that a client can ask for, with a request that succeeds.

use expunge::domain::identity::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::app::{Account, TestApp};
use super::http::{Answer, Request};
use super::refusal::Family;

/// What operations are done to.
#[derive(Clone, Debug)]
pub struct Things {
    /// A live contact.
    pub contact: String,
    /// An import of contacts.
    pub contact_import: String,
    /// A live contact list that no campaign is attached to.
    pub contact_list: String,
    /// Its name.
    pub contact_list_name: String,
    /// A live campaign that is not running, attached to another list.
    pub campaign: String,
    /// A live record list.
    pub record_list: String,
    /// A live record list that the campaign is attached to.
    pub attached_record_list: String,
    /// A live record in the first; two more are there for those who name records otherwise.
    pub record: String,
    /// A deletion of another contact, which is in the trash.
    pub deletion: String,
    /// That contact.
    pub trashed_contact: String,
    /// A deletion that nobody has begun to do.
    pub queued_deletion: String,
    /// Makes the names and numbers of new things unique.
    pub number: u64,
}

/// An operation, and a request for it that succeeds.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its id in the document.
    pub id: &'static str,
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    /// The body where it is a form with a file.
    pub form: Option<String>,
    /// The family that refuses it.
    pub family: Family,
    /// The scope that it takes.
    pub scope: Scope,
    /// What it answers when it is done.
    pub success: u16,
}

impl Things {
    /// Makes things of an account. `number` is one that this account has made no things with.
    pub async fn create(app: &TestApp, account: &Account, number: u64) -> Self {
        let contact = app.contacts_as(account, 9_100_000_000 + number, 1).await.remove(0);
        let contact_list_name = format!("things {number}");
        let contact_list = create_list(app, account, &contact_list_name).await;
        create_list(app, account, &format!("called {number}")).await;
        let new = json!({"name": format!("calls {number}"), "contactLists": [format!("called {number}")]});
        let campaign = post(app, account, &account.family("/campaign?campaignType=voice"), &new).await.expect(200);
        let list = post(app, account, "/record-lists", &json!({"name": format!("records {number}")})).await.expect(201);
        let record_list = id_of(&list["id"]);
        let list = post(app, account, "/record-lists", &json!({"name": format!("dialed {number}")})).await.expect(201);
        let attached_record_list = id_of(&list["id"]);
        let campaign = id_of(&campaign["data"]["id"]);
        let path = format!("/campaigns/{campaign}/record-lists");
        post(app, account, &path, &json!([{"id": attached_record_list}])).await.expect(204);
        let new = json!({"records": [
            {"first_name": "Ada", "last_name": "Byron", "phone_numbers": [{"phone_number": "+14155550100"}]},
            {"first_name": "Bea", "last_name": "Byron", "phone_number": "+14155550102"},
            {"first_name": "Cid", "last_name": "Byron", "phone_number": "+14155550103",
             "external_provider": "crm", "external_id": "1"}
        ]});
        let records = post(app, account, &format!("/record-lists/{record_list}/records/bulks"), &new).await.expect(201);
        let other = app.contacts_as(account, 9_500_000_000 + number, 1).await;
        let path = account.bulk_delete_path();
        let deleted = app.request_as(account, Method::DELETE, &path).json(&json!({ "ids": other })).send().await;
        let queued = app
            .request_as(account, Method::POST, "/v1/deletions")
            .header("Prefer", "respond-async")
            .json(&json!({"resource": "contact", "within": {"stream_id": account.stream}, "items": [{"id": "x"}]}))
            .send()
            .await;
        Self {
            contact,
            queued_deletion: queued.header("Deletion-Id").expect("a deletion has an id").to_owned(),
            trashed_contact: other[0].clone(),
            deletion: deleted.header("Deletion-Id").expect("a deletion has an id").to_owned(),
            contact_import: app.contact_import_of(account).await,
            contact_list,
            contact_list_name,
            campaign,
            record_list,
            attached_record_list,
            record: id_of(&records["_embedded"]["records"][0]["id"]),
            number,
        }
    }

    /// The ids of things that nobody has.
    pub fn unknown() -> Self {
        Self {
            contact: "00000000c1746a6142900000".to_owned(),
            contact_import: "01a2110e-e67f-7766-8dde-51422fa23f19".to_owned(),
            contact_list: "cl-c2ce382-2516-457e-8eb4-9847deec0000".to_owned(),
            contact_list_name: "nobody's".to_owned(),
            campaign: "cd-5f0e1c7-2516-457e-8eb4-9847deec0000".to_owned(),
            record_list: "8858c834-481d-4a02-8176-cffc02c50350".to_owned(),
            attached_record_list: "ba85ef13-ed0c-4acc-8799-4b2e81e91dcb".to_owned(),
            record: "f03004be-2853-4660-b6e8-060cc383ddbe".to_owned(),
            deletion: "01a20694-3b1c-7d35-a9fe-12ab34cd56ef".to_owned(),
            trashed_contact: "00000000c1746a6142900001".to_owned(),
            queued_deletion: "01a20694-3b1c-7d35-a9fe-12ab34cd56e0".to_owned(),
            number: 0,
        }
    }

    /// A text in which the things' own ids and names stand for any.
    pub fn hidden_in(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let names = [
            (&self.contact, "<contact>"),
            (&self.contact_import, "<import>"),
            (&self.contact_list, "<contact list>"),
            (&self.contact_list_name, "<name>"),
            (&self.campaign, "<campaign>"),
            (&self.record_list, "<record list>"),
            (&self.attached_record_list, "<attached record list>"),
            (&self.record, "<record>"),
            (&self.deletion, "<deletion>"),
            (&self.trashed_contact, "<trashed contact>"),
            (&self.queued_deletion, "<queued deletion>"),
        ];
        for (name, any) in names {
            text = text.replace(name.as_str(), any);
        }
        text
    }

    /// Every operation on these things, in the account's stream.
    pub fn operations(&self, account: &Account) -> Vec<Operation> {
        let mut operations = self.contacts(account);
        operations.extend(self.campaigns(account));
        operations.extend(self.record_lists());
        operations.extend(self.native(account));
        operations
    }

    /// The operations that delete.
    pub fn deletions(&self, account: &Account) -> Vec<Operation> {
        self.operations(account).into_iter().filter(|operation| operation.is_deletion()).collect()
    }

    fn contacts(&self, account: &Account) -> Vec<Operation> {
        let Self { contact, contact_import, number, .. } = self;
        let new = json!([{
            "firstName": "john", "lastName": "doe",
            "cellPhone": {"phoneNumber": (9_200_000_000 + number).to_string(), "countryCode": "+91"}
        }]);
        let change = json!({
            "firstName": "jane",
            "cellPhone": {"phoneNumber": (9_400_000_000 + number).to_string(), "countryCode": "+91", "extension": "+"}
        });
        let operation = |id, method: Method, path: String, body: Option<Value>| Operation {
            id,
            method,
            path,
            body,
            form: None,
            family: Family::Contacts,
            scope: Scope::Configuration,
            success: 200,
        };
        vec![
            operation("create_contacts", Method::POST, account.contacts_path(), Some(new)),
            operation("list_contacts", Method::GET, account.contacts_path(), None),
            operation(
                "list_contact_imports",
                Method::GET,
                format!("{}/import-contacts", account.contacts_path()),
                None,
            ),
            Operation {
                form: Some(format!(
                    "--x\r\nContent-Disposition: form-data; name=\"result_file\"\r\n\r\n\
                     firstName,lastName,cellPhoneNumber,cellPhoneCountryCode\r\njohn,doe,{},+91\r\n--x--\r\n",
                    9_300_000_000 + number
                )),
                ..operation(
                    "import_contacts",
                    Method::POST,
                    format!("{}/import-contacts", account.contacts_path()),
                    None,
                )
            },
            operation(
                "get_contact_import",
                Method::GET,
                format!("{}/import-contacts/{contact_import}", account.contacts_path()),
                None,
            ),
            operation(
                "list_contact_import_results",
                Method::GET,
                format!("{}/import-contacts/{contact_import}/results", account.contacts_path()),
                None,
            ),
            operation("get_contact", Method::GET, account.contact_path(contact), None),
            operation("update_contact", Method::PUT, account.contact_path(contact), Some(change.clone())),
            operation(
                "bulk_update_contacts",
                Method::PUT,
                format!("{}/bulk-update", account.contacts_path()),
                Some(json!([{"id": contact, "firstName": "jane", "cellPhone": change["cellPhone"]}])),
            ),
            operation("delete_contact", Method::DELETE, account.contact_path(contact), None),
            operation(
                "bulk_delete_contacts",
                Method::DELETE,
                account.bulk_delete_path(),
                Some(json!({"ids": [contact]})),
            ),
            operation(
                "post_bulk_delete_contacts",
                Method::POST,
                account.bulk_delete_path(),
                Some(json!({"ids": [contact]})),
            ),
        ]
    }

    fn campaigns(&self, account: &Account) -> Vec<Operation> {
        let Self { contact_list, contact_list_name, campaign, number, .. } = self;
        let stream = &account.stream;
        let operation = |id, method: Method, path: String, body: Option<Value>| Operation {
            id,
            method,
            path,
            body,
            form: None,
            family: Family::Campaigns,
            scope: Scope::CampaignManagement,
            success: 200,
        };
        let mut operations = vec![
            operation(
                "add_contacts_to_contact_list",
                Method::POST,
                format!("/api/1.1/public/{stream}/campaign/contactList/addContacts"),
                Some(
                    json!({"contact_list_name": contact_list_name, "data": [{"phoneNumber": "+14155550100", "firstName": "Ada"}]}),
                ),
            ),
            operation(
                "trigger_campaign",
                Method::POST,
                format!("/campaign/api/v1/public/{stream}/campaign/{campaign}?campaignType=voice&trigger=play"),
                None,
            ),
        ];
        let triggers = [
            ("trigger_campaign_v2", format!("/campaign/api/v2/public/{stream}/campaign/{campaign}")),
            (
                "trigger_campaign_by_longer_path_v2",
                format!("/campaign/api/v2/public/{stream}/campaign/trigger/{campaign}"),
            ),
            ("trigger_campaign_by_longer_path", format!("/api/v2/public/{stream}/campaign/trigger/{campaign}")),
        ];
        operations
            .extend(triggers.map(|(id, path)| {
                operation(id, Method::POST, format!("{path}?campaignType=voice&trigger=stop"), None)
            }));
        let changes = [
            (
                format!("/agentassist/api/v1/public/{stream}/campaign"),
                [
                    "update_campaign",
                    "get_campaign_status",
                    "post_get_campaign_status",
                    "list_campaigns",
                    "update_contact_list",
                    "list_contact_lists",
                    "post_list_contact_lists",
                    "list_contact_list_members",
                ],
            ),
            (
                format!("/campaign/api/v2/public/{stream}/campaign"),
                [
                    "update_campaign_v2",
                    "get_campaign_status_v2",
                    "post_get_campaign_status_v2",
                    "list_campaigns_v2",
                    "update_contact_list_v2",
                    "list_contact_lists_v2",
                    "post_list_contact_lists_v2",
                    "list_contact_list_members_v2",
                ],
            ),
        ];
        let filtered = json!({
            "type": "voice", "sortBy": {"name": "asc"},
            "filters": {"status": ["Ready"], "priority": 5, "dialingMode": ["Preview", 7]}
        });
        for (base, [update, status, post_status, list, update_list, lists, post_lists, members]) in changes {
            let contact_list = format!("{base}/contactList/{contact_list}");
            let all = format!("{base}/contactList/getAllListDetails?type=call");
            let one = format!("{base}/{campaign}");
            operations.extend([
                operation(update, Method::PUT, one.clone(), Some(json!({"priority": "4"}))),
                operation(status, Method::GET, format!("{one}/status?view=status"), None),
                operation(post_status, Method::POST, format!("{one}/status?view=status"), None),
                operation(list, Method::POST, format!("{base}/getAllCampaignDetails"), Some(filtered.clone())),
                operation(update_list, Method::PUT, contact_list.clone(), Some(json!({"description": "changed"}))),
                operation(lists, Method::GET, all.clone(), None),
                operation(post_lists, Method::POST, all, None),
                operation(members, Method::GET, format!("{contact_list}/getAllContacts"), None),
            ]);
        }
        let bases = [
            (
                format!("/agentassist/api/v1/public/{stream}/campaign"),
                [
                    "create_contact_list",
                    "get_contact_list",
                    "delete_contact_list",
                    "create_campaign",
                    "get_campaign",
                    "delete_campaign",
                ],
            ),
            (
                format!("/campaign/api/v2/public/{stream}/campaign"),
                [
                    "create_contact_list_v2",
                    "get_contact_list_v2",
                    "delete_contact_list_v2",
                    "create_campaign_v2",
                    "get_campaign_v2",
                    "delete_campaign_v2",
                ],
            ),
        ];
        for (base, [create_list, get_list, delete_list, create_campaign, get_campaign, delete_campaign]) in bases {
            let new_list = json!({"name": format!("new {number}"), "description": "d", "source": "passiveApi", "mapping": {"firstName": "name"}});
            let new_campaign = json!({"name": format!("new {number}"), "contactLists": [contact_list_name]});
            let (list, one) = (format!("{base}/contactList/{contact_list}"), format!("{base}/{campaign}"));
            operations.extend([
                operation(
                    create_list,
                    Method::POST,
                    format!("{base}/contactList/createContactList"),
                    Some(new_list.clone()),
                ),
                operation(get_list, Method::GET, list.clone(), None),
                operation(delete_list, Method::DELETE, list, None),
                operation(create_campaign, Method::POST, format!("{base}?campaignType=voice"), Some(new_campaign)),
                operation(get_campaign, Method::GET, one.clone(), None),
                operation(delete_campaign, Method::DELETE, one, None),
            ]);
        }
        operations
    }

    fn record_lists(&self) -> Vec<Operation> {
        let Self { record_list, attached_record_list, campaign, record, .. } = self;
        let operation = |id, method: Method, path: String, body: Option<Value>, success: u16| Operation {
            id,
            method,
            path,
            body,
            form: None,
            family: Family::RecordLists,
            scope: Scope::RecordListsManage,
            success,
        };
        let list = format!("/record-lists/{record_list}");
        let new = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550101"});
        let whole = json!({
            "first_name": "a", "last_name": "b", "phone_number": "+14155550101",
            "phone_numbers": [{"phone_number": "+14155550101", "phone_type": "HOME"}], "timezone": "GMT", "priority": 5,
            "external_provider": "crm", "external_id": "2", "external_url": "https://crm.example/2",
            "sync_external_id": true, "extra_data": {"a": 1}
        });
        let priority = json!([{"op": "replace", "path": "/priority", "value": 3}]);
        let priorities = json!([{"op": "replace", "path": format!("/records/{record}"), "value": {"priority": 4}}]);
        let status = json!([{"op": "replace", "path": "/status", "value": "UPLOADED"}]);
        let attached = format!("/campaigns/{campaign}/record-lists");
        vec![
            operation("list_record_lists", Method::GET, "/record-lists".to_owned(), None, 200),
            operation("create_record_list", Method::POST, "/record-lists".to_owned(), Some(json!({"name": "n"})), 201),
            operation("get_record_list", Method::GET, list.clone(), None, 200),
            Operation {
                scope: Scope::RecordListsWrite,
                ..operation("update_record_list", Method::PATCH, list.clone(), Some(status), 200)
            },
            operation("list_record_timezones", Method::GET, format!("{list}/records/timezones"), None, 200),
            operation("create_record", Method::POST, format!("{list}/records"), Some(new), 201),
            operation("update_record", Method::PATCH, format!("{list}/records/{record}"), Some(priority), 200),
            operation("bulk_update_records", Method::PATCH, format!("{list}/records/bulks"), Some(priorities), 200),
            operation("list_campaign_record_lists", Method::GET, attached.clone(), None, 200),
            operation("attach_record_lists", Method::POST, attached.clone(), Some(json!([{"id": record_list}])), 204),
            operation(
                "detach_record_lists",
                Method::DELETE,
                attached,
                Some(json!([{"id": attached_record_list}])),
                204,
            ),
            operation("list_records", Method::GET, format!("{list}/records"), None, 200),
            operation(
                "bulk_create_records",
                Method::POST,
                format!("{list}/records/bulks"),
                Some(json!({"records": [whole]})),
                201,
            ),
            operation("get_record", Method::GET, format!("{list}/records/{record}"), None, 200),
            operation(
                "bulk_delete_records",
                Method::DELETE,
                format!("{list}/records/bulks"),
                Some(json!([{"id": record}])),
                200,
            ),
            operation("delete_record", Method::DELETE, format!("{list}/records/{record}"), None, 204),
            operation(
                "delete_records_by_phone_number",
                Method::DELETE,
                format!("{list}/records?phone_number=%2B14155550102"),
                None,
                204,
            ),
            operation(
                "delete_external_records",
                Method::DELETE,
                format!("{list}/external-records?external_provider=crm&external_id=1"),
                None,
                204,
            ),
            operation("delete_record_list", Method::DELETE, list, None, 204),
        ]
    }
}

impl Things {
    fn native(&self, account: &Account) -> Vec<Operation> {
        let Self { contact, deletion, .. } = self;
        let operation = |id, method: Method, path: String, body: Option<Value>, scope: Scope| Operation {
            id,
            method,
            path: format!("/v1{path}"),
            body,
            form: None,
            family: Family::Native,
            scope,
            success: 200,
        };
        let new = json!({
            "resource": "contact", "within": {"stream_id": account.stream}, "items": [{"id": contact}], "mode": "soft",
            "atomic": false, "on_multiple": "all", "validate_only": false, "allow_missing": false, "max_affected": 1,
            "note": "why"
        });
        let read = Scope::DeletionsRead;
        vec![
            operation("create_deletion", Method::POST, "/deletions".to_owned(), Some(new), Scope::Configuration),
            Operation {
                success: 202,
                ..operation(
                    "cancel_deletion",
                    Method::POST,
                    format!("/deletions/{}/cancel", self.queued_deletion),
                    None,
                    Scope::Configuration,
                )
            },
            operation(
                "undo_deletion",
                Method::POST,
                format!("/deletions/{deletion}/undo"),
                Some(json!({"note": "why"})),
                Scope::DeletionsRestore,
            ),
            operation("list_trash", Method::GET, "/trash".to_owned(), None, read),
            operation(
                "restore_trash",
                Method::POST,
                "/trash/restore".to_owned(),
                Some(json!({
                    "resource": "contact", "within": {"stream_id": account.stream},
                    "items": [{"id": self.trashed_contact}], "note": "why"
                })),
                Scope::DeletionsRestore,
            ),
            operation("get_retention", Method::GET, "/retention".to_owned(), None, Scope::RetentionManage),
            operation(
                "set_retention",
                Method::PUT,
                "/retention".to_owned(),
                Some(json!({"contact": 30, "contact_list": 30, "campaign": 30, "record_list": 30, "record": 30})),
                Scope::RetentionManage,
            ),
            operation("list_deletions", Method::GET, "/deletions".to_owned(), None, read),
            operation("get_deletion", Method::GET, format!("/deletions/{deletion}"), None, read),
            operation("list_deletion_outcomes", Method::GET, format!("/deletions/{deletion}/outcomes"), None, read),
        ]
    }
}

impl Operation {
    /// Whether it deletes by a path of a vendor's family.
    pub fn is_deletion(&self) -> bool {
        self.id.contains("delete")
    }

    /// Whether it deletes several things, which its body names.
    pub fn is_bulk_deletion(&self) -> bool {
        self.is_deletion() && self.body.is_some()
    }

    /// Whether it answers an outcome for each thing that it deletes or restores.
    pub fn reports_each_deletion(&self) -> bool {
        self.is_bulk_deletion() || ["create_deletion", "restore_trash"].contains(&self.id)
    }

    /// Whether it answers an outcome for each thing that its body names.
    pub fn reports_each_item(&self) -> bool {
        self.is_bulk_deletion()
            || self.id.starts_with("bulk_update")
            || ["create_deletion", "restore_trash"].contains(&self.id)
    }

    /// Whether it names something that must be there.
    pub fn is_about_a_thing(&self) -> bool {
        let not = [
            "create_contacts",
            "list_contacts",
            "import_contacts",
            "list_contact_imports",
            "list_campaigns",
            "list_campaigns_v2",
            "list_contact_lists",
            "list_contact_lists_v2",
            "post_list_contact_lists",
            "post_list_contact_lists_v2",
            "create_contact_list",
            "create_contact_list_v2",
            "list_record_lists",
            "create_record_list",
            "list_deletions",
            "list_trash",
            "get_retention",
            "set_retention",
        ];
        !not.contains(&self.id)
    }

    /// The operation with more in its query.
    pub fn with_query(mut self, query: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(query);
        self
    }

    /// Sends it with these headers and no others that say who calls.
    pub async fn send_with(&self, app: &TestApp, headers: &[(&str, &str)]) -> Answer {
        let request = app.anonymous(self.method.clone(), &self.path);
        self.send_as(headers.iter().fold(request, |request, (name, value)| request.header(name, value))).await
    }

    /// Sends it as an account's client.
    pub async fn send(&self, app: &TestApp, account: &Account) -> Answer {
        self.send_as(app.request_as(account, self.method.clone(), &self.path)).await
    }

    /// Sends it as an account's client, under an idempotency key.
    pub async fn send_under(&self, app: &TestApp, account: &Account, key: &str) -> Answer {
        let request = app.request_as(account, self.method.clone(), &self.path);
        self.send_as(request.header("Idempotency-Key", key)).await
    }

    async fn send_as(&self, request: Request) -> Answer {
        match (&self.body, &self.form) {
            (Some(body), _) => request.json(body).send().await,
            (None, Some(form)) => request.body("multipart/form-data; boundary=x", form.as_str()).send().await,
            (None, None) => request.send().await,
        }
    }
}

async fn create_list(app: &TestApp, account: &Account, name: &str) -> String {
    let path = account.family("/campaign/contactList/createContactList");
    let list = post(app, account, &path, &json!({"name": name, "description": "d", "source": "passiveApi"})).await;
    id_of(&list.expect(200)["data"]["_id"])
}

async fn post(app: &TestApp, account: &Account, path: &str, body: &Value) -> Answer {
    app.request_as(account, Method::POST, path).json(body).send().await
}

fn id_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned()
}
