//! The people on a contact list: added and listed.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Answer, CampaignsBodyErrors, CampaignsErrors, ContactListNotFound, ContactListsAccess, Envelope, list_id};
use crate::domain::contact_list::{Member, NewMember};
use crate::domain::ids::MemberId;
use crate::domain::phone::PhoneKey;
use crate::domain::timezone;
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::paging::{self, Asked, PageBody};
use crate::handlers::timestamp;
use crate::services::Services;

/// The most people that one request adds.
const MAX_ADDED: usize = 1000;

/// Marks places in the list of a list's people.
const PLACE: &str = "member";

/// Add people to a contact list
///
/// Adds 1 to 1,000 people to the live list of that name. A list made with `allowDuplicates: false` leaves out numbers
/// that it has already. People on a list are not contacts: deleting the one does not touch the other. They are there
/// when the answer is sent; the message is the vendor's.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "add_contacts_to_contact_list",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the list belongs to."),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
    ),
    request_body(content = AddContactsBody, example = json!({
        "contact_list_name": "Renewal Due - August 2025",
        "data": [{"phoneNumber": "+14155550100", "firstName": "Ada", "lastName": "Byron", "timeZone": "America/Los_Angeles", "uniqueId": "A-1"}]
    })),
    responses(
        (status = 200, description = "They were added.", body = AddedBody, example = json!({"message": "Adding contacts to public list is in progress"})),
        CampaignsErrors, CampaignsBodyErrors, ContactListNotFound,
    ),
)]
#[post("/campaign/contactList/addContacts")]
pub async fn add_contacts(
    authorized: Authorized<ContactListsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let AddContactsBody { contact_list_name, data } = body.json().await?;
    match data.len() {
        0 => return Err(Error::invalid("data", "must name at least one").into()),
        1..=MAX_ADDED => {}
        _ => return Err(Error::TooLarge { what: "data", limit: MAX_ADDED }.into()),
    }
    let contact_list_name = contact_list_name.trim();
    body::required_text("contact_list_name", contact_list_name, 48)?;
    let members =
        data.into_iter().enumerate().map(|(index, person)| new_member(index, person)).collect::<Result<Vec<_>, _>>()?;
    services.contact_lists.add_members(&authorized.caller, authorized.stream(), contact_list_name, &members).await?;
    Ok(HttpResponse::Ok().json(AddedBody { message: "Adding contacts to public list is in progress" }))
}

/// List the people on a contact list
///
/// In the order in which they were added. `skip` and `page` reach the first 10,000; `after` reaches all, at the same cost
/// for every page, and repeats nobody; people who are being added at the same moment may come to stand before a place
/// that has been passed. What was said of a person stands
/// beside these fields as it was given.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "list_contact_list_members",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the list belongs to."),
        ("contactListId" = String, Path, description = "The list.", example = "cl-c2ce382-2516-457e-8eb4-9847deec0000"),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        MembersParams,
    ),
    responses(
        (status = 200, description = "A page of people.", body = Envelope<PageBody<MemberBody>>,
         example = json!({"status": "success", "message": "Contacts retrieved successfully", "data": {
            "results": [{
                "_id": "cc-01a2110e-e67f-7766-8dde-51422fa23f19", "createdAt": "2025-06-26T12:32:02.735Z",
                "updatedAt": "2025-06-26T12:32:02.735Z", "phoneNumber": "+14155550100", "firstName": "Ada"
            }],
            "skip": 0, "limit": 50, "hasMore": false, "totalPages": 1, "totalResults": 1
         }})),
        CampaignsErrors, ContactListNotFound,
    ),
)]
#[get("/campaign/contactList/{contactListId}/getAllContacts")]
pub async fn list_contact_list_members(
    authorized: Authorized<ContactListsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let params: MembersParams = authorized.params()?;
    let asked = Asked { skip: params.skip, limit: params.limit, page: params.page, after: params.after };
    let page = asked.read(50, |after| paging::read_cursor(PLACE, after, MemberId::parse))?;
    let id = list_id(&path.1)?;
    let listed = services.contact_lists.members(&authorized.caller, authorized.stream(), &id, &page).await?;
    let place = |member: &Member| paging::cursor(PLACE, member.id.as_str());
    let body = PageBody::of(&page, listed, place, MemberBody::of);
    Ok(HttpResponse::Ok().json(Envelope::success("Contacts retrieved successfully", body)))
}

/// Which people.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct MembersParams {
    /// How many to leave out, at most 10,000. Not together with `page`.
    #[param(minimum = 0, maximum = 10000)]
    skip: Option<i64>,
    /// How many a page has, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
    /// The page's number, from 1.
    #[param(minimum = 1)]
    page: Option<i64>,
    /// Those after a place: what the page before answered as `after`. Not together with `skip` or `page`.
    after: Option<String>,
}

/// A person on a list. What else was said of the person stands beside these as it was given.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct MemberBody {
    /// The person's id on this list; not a contact's.
    #[serde(rename = "_id")]
    id: String,
    /// When the person was added.
    #[schema(format = DateTime)]
    created_at: String,
    /// When that last changed.
    #[schema(format = DateTime)]
    updated_at: String,
    /// The number as it was given.
    phone_number: String,
    /// What else was said of the person.
    #[serde(flatten)]
    details: Map<String, Value>,
}

impl MemberBody {
    fn of(member: Member) -> Self {
        Self {
            id: member.id.to_string(),
            created_at: timestamp(member.created_at),
            updated_at: timestamp(member.updated_at),
            phone_number: member.phone_number,
            details: member.details,
        }
    }
}

/// People that are to be added to a list.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(expecting = "an object")]
pub struct AddContactsBody {
    /// The list's name, in whatever case.
    #[schema(min_length = 1, max_length = 48)]
    contact_list_name: String,
    /// 1 to 1,000 people, each with a `phoneNumber`; what else is said of them is kept as given.
    #[schema(value_type = Vec<PersonBody>, min_items = 1, max_items = 1000)]
    data: Vec<Map<String, Value>>,
}

/// A person who is to be added to a list. What else is said of the person is kept as given.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the schema of what is read as a map")]
struct PersonBody {
    /// The number, 1 to 20 digits; with spaces, `-`, `(` and `)` at most 40 characters.
    #[schema(min_length = 1, max_length = 40)]
    phone_number: String,
    /// First name.
    #[schema(max_length = 255)]
    first_name: Option<String>,
    /// Last name.
    #[schema(max_length = 255)]
    last_name: Option<String>,
    /// A zone of the tz database.
    #[schema(max_length = 35)]
    time_zone: Option<String>,
    /// The person in the caller's system.
    #[schema(max_length = 255)]
    unique_id: Option<String>,
    /// What else is said of the person. What the service says of a person on a list is ignored.
    #[serde(flatten)]
    details: Map<String, Value>,
}

fn new_member(index: usize, mut person: Map<String, Value>) -> Result<NewMember, Error> {
    let field = format!("data[{index}].phoneNumber");
    let phone_number = match person.shift_remove("phoneNumber") {
        Some(Value::String(number)) => number,
        Some(_) => return Err(Error::invalid(field, "must be a string")),
        None => return Err(Error::invalid(field, "is required")),
    };
    let phone_key = PhoneKey::parse(&phone_number).ok_or_else(|| Error::invalid(field, "not a phone number"))?;
    for known in ["firstName", "lastName", "timeZone", "uniqueId"] {
        let field = format!("data[{index}].{known}");
        match person.get(known) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => body::text(&field, text, 255)?,
            Some(_) => return Err(Error::invalid(field, "must be a string")),
        }
    }
    if let Some(Value::String(zone)) = person.get_mut("timeZone")
        && !zone.is_empty()
    {
        let field = || format!("data[{index}].timeZone");
        let named = timezone::named(zone);
        *zone = named.ok_or_else(|| Error::invalid(field(), "is not a zone of the tz database"))?.to_owned();
    }
    // What the service says of a person on a list is not the caller's to say.
    person.retain(|field, _| !["_id", "createdAt", "updatedAt"].contains(&field.as_str()));
    let details = Value::Object(person);
    body::storable(&format!("data[{index}]"), &details)?;
    let Value::Object(details) = details else { return Err(Error::Internal("an object is an object")) };
    Ok(NewMember { phone_number, phone_key, details })
}

/// What the vendor answers.
#[derive(Serialize, utoipa::ToSchema)]
struct AddedBody {
    /// The vendor's sentence.
    message: &'static str,
}
