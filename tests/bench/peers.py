"""The other ways to write records to HubSpot, each as its own documentation shows it.

    python -m tests.bench.peers NAME RECORDS.json BASE_URL     (the token in BENCH_TOKEN)

Started by `bench_portal`, one process per run, since these clients are synchronous and one of them
is pointed at another address through a module constant. RECORDS.json is a list of property sets.
Each loop gives urllib3's Retry the status codes HubSpot's own examples name, for every method, so
that it is as patient as its users make it. Prints how many records it believes it has not written.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Records = Sequence[dict[str, str]]
KEY = "sage100_vendor_key"
"""The unique property the record is known by."""
PLAIN = "sage100_vendor_no"
"""The same number in a property that is not unique: what one searches for without such a key."""
CHUNK = 100


def _client(base_url: str) -> Any:
    from hubspot import HubSpot
    from urllib3.util.retry import Retry

    retry = Retry(
        total=5,
        backoff_factor=0.3,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
    )
    return HubSpot(access_token=os.environ["BENCH_TOKEN"], host=base_url, retry=retry)


def batch_upsert(records: Records, base_url: str) -> int:
    """hubspot-api-client: batches of 100 by the unique key; a refused batch is given up."""
    from hubspot.crm import companies

    api = _client(base_url).crm.companies.batch_api
    failed = 0
    for start in range(0, len(records), CHUNK):
        inputs = [
            companies.SimplePublicObjectBatchInputUpsert(
                id=record[KEY], id_property=KEY, properties=record
            )
            for record in records[start : start + CHUNK]
        ]
        try:
            api.upsert(companies.BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
        except Exception:  # noqa: BLE001 - whatever it raises, such a loop goes on
            failed += len(inputs)
    return failed


def create_then_update(records: Records, base_url: str) -> int:
    """hubspot-api-client: create; when HubSpot has it already, update by the unique key."""
    from hubspot.crm import companies

    api = _client(base_url).crm.companies.basic_api
    failed = 0
    for record in records:
        try:
            api.create(companies.SimplePublicObjectInputForCreate(properties=record))
        except Exception:  # noqa: BLE001
            values = companies.SimplePublicObjectInput(properties=record)
            try:
                api.update(record[KEY], values, id_property=KEY)
            except Exception:  # noqa: BLE001
                failed += 1
    return failed


def search_then_write(records: Records, base_url: str) -> int:
    """hubspot-api-client: search by a plain number, then update what was found, or create."""
    from hubspot.crm import companies

    crm = _client(base_url).crm.companies
    failed = 0
    for whole in records:
        record = {name: value for name, value in whole.items() if name != KEY}
        try:
            found = crm.search_api.do_search(
                companies.PublicObjectSearchRequest(
                    filter_groups=[
                        {
                            "filters": [
                                {
                                    "propertyName": PLAIN,
                                    "operator": "EQ",
                                    "value": record[PLAIN],
                                }
                            ]
                        }
                    ],
                    limit=1,
                )
            )
            if found.results:
                values = companies.SimplePublicObjectInput(properties=record)
                crm.basic_api.update(found.results[0].id, values)
            else:
                values = companies.SimplePublicObjectInputForCreate(properties=record)
                crm.basic_api.create(values)
        except Exception:  # noqa: BLE001
            failed += 1
    return failed


def drt(records: Records, base_url: str) -> int:
    """drt-core: its HubSpot destination with its own limiter and retries, bad rows skipped."""
    from drt.config.models import HubSpotDestinationConfig, SyncOptions
    from drt.destinations import hubspot

    hubspot._HUBSPOT_API = f"{base_url}/crm/v3/objects"
    hubspot._HUBSPOT_PROPERTIES_API = f"{base_url}/crm/v3/properties"
    config = HubSpotDestinationConfig(
        type="hubspot",
        object_type="companies",
        id_property=KEY,
        auth={"type": "bearer", "token_env": "BENCH_TOKEN"},
    )
    result = hubspot.HubSpotDestination().load(
        [dict(record) for record in records], config, SyncOptions(on_error="skip")
    )
    return int(result.failed)


PEERS: dict[str, Callable[[Records, str], int]] = {
    "sdk batch upsert": batch_upsert,
    "sdk create/update": create_then_update,
    "sdk search/write": search_then_write,
    "drt-core": drt,
}


def installed(name: str) -> bool:
    """Whether the package that this contender stands for is there."""
    return find_spec("drt" if name == "drt-core" else "hubspot") is not None


def main(name: str, path: str, base_url: str) -> int:
    """Write the records and print how many failed by the contender's own account."""
    logging.disable(logging.CRITICAL)
    records = json.loads(Path(path).read_text("utf-8"))
    print(json.dumps({"failed": PEERS[name](records, base_url)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
