//! The demo: two accounts with people, lists and campaigns, all of them made up.
//! The numbers are from the ranges that are set aside for fiction.

use std::path::Path;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::domain::campaign::{Campaign, CampaignType, NewCampaign, Trigger};
use crate::domain::contact::{CellPhone, NewContact};
use crate::domain::contact_list::{ContactList, NewContactList, NewMember, identity_mapping};
use crate::domain::identity::{Caller, Scope, TokenExpiry};
use crate::domain::ids::{ClientId, StreamId};
use crate::domain::phone::{self, PhoneKey};
use crate::domain::record::{CreatedRecord, ExternalReference, Person, RecordPhone};
use crate::domain::record_list::{NewRecordList, UniqueIdentifierType};
use crate::domain::version::IfMatch;
use crate::services::Services;
use crate::services::identity::Credentials;
use crate::services::operator::Operator;
use crate::services::tokens;

/// What is in the demo, as `demo.json` has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Demo {
    base_url: String,
    accounts: Vec<DemoAccount>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DemoAccount {
    account_id: String,
    stream_id: String,
    client_id: String,
    client_secret: String,
    token: String,
    contacts: Vec<String>,
    contact_lists: DemoLists,
    campaigns: DemoCampaigns,
    record_lists: DemoRecordLists,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DemoLists {
    free: String,
    in_use: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DemoCampaigns {
    active: String,
    stopped: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DemoRecordLists {
    #[serde(rename = "PHONE_NUMBER")]
    phone_number: String,
    #[serde(rename = "EXTERNAL")]
    external: String,
    #[serde(rename = "NOTHING")]
    nothing: String,
}

/// People who do not exist: first name, last name, salutation, country code, number.
const PEOPLE: [(&str, &str, &str, &str, &str); 8] = [
    ("Ada", "Okafor", "ms", "+44", "2079460101"),
    ("Bruno", "Keller", "mr", "+1", "4155550102"),
    ("Chandra", "Iyer", "mr", "+44", "2079460103"),
    ("Dolores", "Reyes", "mrs", "+1", "4155550104"),
    ("Emeka", "Sato", "mr", "+61", "255501105"),
    ("Farah", "Lindqvist", "ms", "+46", "317006106"),
    ("Goran", "Petrov", "mr", "+1", "4155550107"),
    ("Hana", "Moreau", "ms", "+33", "199005108"),
];

/// Puts the demo into the database.
pub async fn load(operator: &mut Operator, services: &Services, clock: &Clock) -> anyhow::Result<Demo> {
    let mut accounts = Vec::new();
    for (name, stream) in [("Northwind Calling", "Sales desk"), ("Blue Harbor Support", "Help desk")] {
        accounts.push(
            account(operator, services, clock, name, stream)
                .await
                .with_context(|| format!("the demo account {name}"))?,
        );
    }
    Ok(Demo { base_url: String::new(), accounts })
}

impl Demo {
    /// Gives every account a token that is valid for an hour from `now`.
    pub fn renew(&mut self, base_url: &str, now: OffsetDateTime) -> anyhow::Result<()> {
        base_url.clone_into(&mut self.base_url);
        for account in &mut self.accounts {
            let client = ClientId::parse(&account.client_id).context("the client's id in demo.json is damaged")?;
            account.token = tokens::sign(&client, &SecretString::from(account.client_secret.clone()), now)?;
        }
        Ok(())
    }

    /// Where to look, and the four deletions to paste.
    pub fn greeting(&self, file: &Path) -> String {
        let base = &self.base_url;
        let file = file.display();
        let Some(account) = self.accounts.first() else { return format!("\n  Expunge is at {base}\n") };
        let DemoAccount { account_id, stream_id, token, contacts, contact_lists, record_lists, .. } = account;
        let contact = |index: usize| contacts.get(index).map(String::as_str).unwrap_or_default();
        let (first, second, third) = (contact(0), contact(1), contact(2));
        let family = format!("{base}/agentassist/api/v1/public/{stream_id}");
        let list = &contact_lists.free;
        let (records, external) = (&record_lists.phone_number, &record_lists.external);
        format!(
            r#"
Expunge is at {base}

  Read and try it:   {base}/docs
  The demo's facts:  {file} (its tokens are renewed every half hour)
  Start over:        the same command with --fresh

The four deletions, ready to paste; the token is valid for an hour.

# 1. One contact, into the trash
curl -sS -X DELETE '{family}/contacts/{first}' \
  -H 'accountId: {account_id}' -H 'auth: {token}'

# 2. Contacts in bulk: two that are there and one that is not
curl -sS -X DELETE '{family}/contacts/bulk-delete' \
  -H 'Content-Type: application/json' -H 'accountId: {account_id}' -H 'auth: {token}' \
  --data '{{"ids": ["{second}", "{third}", "000000000000000000000000"]}}'

# 3. A contact list that no campaign holds on to
curl -sS -X DELETE '{family}/campaign/contactList/{list}' \
  -H 'iid: {stream_id}' -H 'accountId: {account_id}' -H 'auth: {token}' --data ''

# 4. Records in bulk: by phone number, and by external reference
curl -sS -X DELETE '{base}/record-lists/{records}/records/bulks' \
  -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}' \
  --data '[{{"phone_number": "{number}"}}, {{"phone_number": "+100000000"}}]'
curl -sS -X DELETE '{base}/record-lists/{external}/records/bulks' \
  -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}' \
  --data '[{{"external_provider": "salesforce", "external_id": "003DL00001"}}]'

Ctrl-C stops the service and its database.
"#,
            number = format_args!("{}{}", PEOPLE[0].3, PEOPLE[0].4),
        )
    }
}

async fn account(
    operator: &mut Operator,
    services: &Services,
    clock: &Clock,
    name: &str,
    stream: &str,
) -> anyhow::Result<DemoAccount> {
    let (account_id, _) = operator.create_account(name).await?;
    let stream_id = operator.create_stream(&account_id, stream).await?;
    let client = operator.create_client(&account_id, "demo", &Scope::ALL, TokenExpiry::Strict).await?;
    let token = tokens::sign(&client.client_id, &client.secret, clock.now())?;
    let credentials = Credentials { token: &token, request_id: "demo", ..Credentials::default() };
    let caller = services.identity.sign_in(&credentials).await?;

    let contacts = contacts(services, &caller, &stream_id).await?;
    let in_use = contact_list(services, &caller, &stream_id, "Renewal Due - August").await?;
    let free = contact_list(services, &caller, &stream_id, "Winter Survey").await?;
    let active = campaign(services, &caller, &stream_id, "Renewal Calls", &in_use, Trigger::Play).await?;
    let stopped = campaign(services, &caller, &stream_id, "Renewal Pilot", &in_use, Trigger::Stop).await?;
    Ok(DemoAccount {
        account_id: account_id.to_string(),
        stream_id: stream_id.to_string(),
        client_id: client.client_id.to_string(),
        client_secret: client.secret.expose_secret().to_owned(),
        token,
        contacts,
        contact_lists: DemoLists { free: free.id.to_string(), in_use: in_use.id.to_string() },
        campaigns: DemoCampaigns { active: active.id.to_string(), stopped: stopped.id.to_string() },
        record_lists: DemoRecordLists {
            phone_number: record_list(services, &caller, "Callbacks", UniqueIdentifierType::PhoneNumber).await?,
            external: record_list(services, &caller, "CRM leads", UniqueIdentifierType::External).await?,
            nothing: record_list(services, &caller, "Walk-ins", UniqueIdentifierType::Nothing).await?,
        },
    })
}

async fn contacts(services: &Services, caller: &Caller, stream: &StreamId) -> anyhow::Result<Vec<String>> {
    let new: Vec<NewContact> = PEOPLE
        .iter()
        .map(|(first, last, salutation, code, number)| {
            Ok(NewContact {
                first_name: (*first).to_owned(),
                last_name: (*last).to_owned(),
                salutation: (*salutation).to_owned(),
                cell_phone: CellPhone {
                    extension: "+".to_owned(),
                    phone_number: phone::with_country_code(code, number).context("a demo number")?,
                    country_code: (*code).to_owned(),
                },
                phone_key: PhoneKey::parse_national(code, number).context("a demo number")?,
                address: json!([]),
                twitter_details: json!([]),
            })
        })
        .collect::<anyhow::Result<_>>()?;
    let created = services.contacts.create(caller, stream, &new).await?;
    created.into_iter().map(|created| Ok(created?.id.to_string())).collect()
}

async fn contact_list(
    services: &Services,
    caller: &Caller,
    stream: &StreamId,
    name: &str,
) -> anyhow::Result<ContactList> {
    let new = NewContactList {
        name: name.to_owned(),
        description: format!("People to call: {}", name.to_lowercase()),
        source: "passiveApi".to_owned(),
        allow_duplicates: false,
        mapping: identity_mapping(),
    };
    let list = services.contact_lists.create(caller, stream, &new).await?;
    let members: Vec<NewMember> = PEOPLE
        .iter()
        .map(|(first, last, _, code, number)| {
            let phone_number = format!("{code}{number}");
            Ok(NewMember {
                phone_key: PhoneKey::parse(&phone_number).context("a demo number")?,
                phone_number,
                details: Map::from_iter([("firstName".to_owned(), json!(first)), ("lastName".to_owned(), json!(last))]),
            })
        })
        .collect::<anyhow::Result<_>>()?;
    services.contact_lists.add_members(caller, stream, name, &members).await?;
    Ok(list)
}

async fn campaign(
    services: &Services,
    caller: &Caller,
    stream: &StreamId,
    name: &str,
    list: &ContactList,
    trigger: Trigger,
) -> anyhow::Result<Campaign> {
    let new = NewCampaign {
        name: name.to_owned(),
        campaign_type: CampaignType::Voice,
        contact_lists: vec![list.name.clone()],
        details: Map::from_iter([("dialingMode".to_owned(), json!("Preview"))]),
    };
    let campaign = services.campaigns.create(caller, stream, &new).await?;
    Ok(services.campaigns.trigger(caller, stream, &campaign.id, None, trigger, &IfMatch::Any).await?)
}

async fn record_list(
    services: &Services,
    caller: &Caller,
    name: &str,
    unique_by: UniqueIdentifierType,
) -> anyhow::Result<String> {
    let new = NewRecordList { name: name.to_owned(), unique_identifier_type: unique_by };
    let list = services.record_lists.create(caller, &new).await?;
    let people: Vec<Person> = PEOPLE
        .iter()
        .enumerate()
        .map(|(index, (first, last, _, code, number))| {
            let phone_number = format!("{code}{number}");
            Ok(Person {
                first_name: (*first).to_owned(),
                last_name: (*last).to_owned(),
                phone_numbers: vec![RecordPhone {
                    key: PhoneKey::parse(&phone_number).context("a demo number")?,
                    phone_number,
                    phone_type: Some("MOBILE".to_owned()),
                }],
                timezone: Some("Europe/London".to_owned()),
                priority: Some(5),
                external: ExternalReference::parse("salesforce".to_owned(), format!("003DL0000{}", index + 1)),
                external_url: None,
                sync_external_id: false,
                extra_data: Map::new(),
            })
        })
        .collect::<anyhow::Result<_>>()?;
    let created = services.record_lists.add_records(caller, list.id, &people).await?;
    if created.iter().any(|created| matches!(created, CreatedRecord::KeyTaken { .. })) {
        bail!("two demo records are alike");
    }
    Ok(list.id.to_string())
}
