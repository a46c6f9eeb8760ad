"""With a client that was generated from the document: create, list and delete in each family of paths."""

import json
import sys
import time
from pathlib import Path

import httpx
from expunge_client import AuthenticatedClient
from expunge_client import models as m
from expunge_client.api.campaigns import create_contact_list, delete_contact_list, get_contact_list, list_contact_lists
from expunge_client.api.contacts import create_contacts, delete_contact, list_contacts, update_contact
from expunge_client.api.identity import get_jwks
from expunge_client.api.record_lists import (
    bulk_create_records,
    bulk_delete_records,
    create_record_list,
    delete_record_list,
    list_records,
)


def demo(file: Path) -> dict:
    """What the demo holds, once its service is ready."""
    for _ in range(600):
        try:
            found = json.loads(file.read_text())
            if httpx.get(found["base_url"] + "/readyz").status_code == 200:
                return found
        except (OSError, ValueError, httpx.HTTPError):
            pass
        time.sleep(0.1)
    sys.exit("the service is not ready after a minute")


def check(answer, kind):
    assert isinstance(answer, kind), f"expected {kind.__name__}: {answer}"
    return answer


found = demo(Path(sys.argv[1]))
account = found["accounts"][0]
of = {"account_id": account["account_id"]}
stream = account["stream_id"]
client = AuthenticatedClient(base_url=found["base_url"], token=account["token"], prefix="", auth_header_name="auth")

# Contacts.
new = m.NewContactBody(
    first_name="Grace",
    last_name="Hopper",
    cell_phone=m.NewCellPhoneBody(phone_number="2125550199", country_code="+1"),
)
contact = check(create_contacts.sync(stream, client=client, body=[new], **of)[0], m.ContactBody)
assert (contact.full_name, contact.status) == ("Grace Hopper", m.Status.ACTIVE), contact
change = m.ContactChangeBody(salutation="rear admiral")
assert update_contact.sync(stream, contact.id, client=client, body=change, **of).salutation == "rear admiral"
page = check(list_contacts.sync(stream, client=client, phone_number="+12125550199", **of), m.PageBodyContactBody)
assert [listed.id for listed in page.results] == [contact.id] and page.total_results == 1, page
gone = check(delete_contact.sync(stream, contact.id, client=client, **of), m.ContactBody)
assert gone.status == m.Status.INACTIVE, gone
again = delete_contact.sync_detailed(stream, contact.id, client=client, **of)
assert again.status_code == 404 and again.parsed.errors[0].reason == "ALREADY_DELETED", again

# Contact lists of campaigns.
named = {"iid": stream, **of}
new = m.NewContactListBody(name="From a client", description="Made by a generated client.", source=m.ContactListSource("passiveApi"))
made = create_contact_list.sync(stream, client=client, body=new, **named)
assert made.message == "Contact list From a client created successfully", made
listed = check(list_contact_lists.sync(stream, client=client, **named), m.ContactLists)
assert listed.data[0].name == "From a client", listed
gone = delete_contact_list.sync(stream, listed.data[0].field_id, client=client, **named)
assert gone.message == "Contact list From a client deleted successfully", gone
missing = get_contact_list.sync_detailed(stream, listed.data[0].field_id, client=client, **named)
assert missing.status_code == 404 and missing.parsed.status == "error", missing

# Record lists, with the token in the other header.
client = AuthenticatedClient(base_url=found["base_url"], token=account["token"])
record_list = check(create_record_list.sync(client=client, body=m.NewRecordListBody(name="From a client")), m.RecordListBody)
phones = [m.NewPhoneBody(phone_number="+12125550199", phone_type=m.PhoneType.MOBILE)]
people = [m.NewRecordBody(first_name=name, last_name="Hopper", phone_numbers=phones) for name in ("Grace", "Vincent")]
report = bulk_create_records.sync(record_list.id, client=client, body=m.BulkCreateBody(records=people))
assert (report.total_created, report.has_errors) == (2, False), report
page = check(list_records.sync(record_list.id, client=client), m.RecordPage)
assert page.total == 2 and page.field_embedded.records[0].timezone == "America/New_York", page
identifiers = [m.IdentifierBody(id=record.id) for record in page.field_embedded.records]
report = bulk_delete_records.sync(record_list.id, client=client, body=identifiers)
assert (report.total_deleted, report.total_errors) == (2, 0), report
assert delete_record_list.sync_detailed(record_list.id, client=client).status_code == 204

assert get_jwks.sync_detailed(client=client).status_code == 200
print("a generated client has created, listed and deleted in each family")
