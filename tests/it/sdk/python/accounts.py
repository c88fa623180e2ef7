"""Accounts of the command line, seen by the official Python client.

`refused CONTAINER` must not be let in. `sas TOKEN` compares a token of `linarite account sas` with what the client
makes of the same terms: the signatures must be one.
"""

import sys
from urllib.parse import parse_qs

from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.blob._shared.shared_access_signature import SharedAccessSignature

import runner


def refused(container):
    client = ContainerClient.from_connection_string(runner.connection_string(), container)
    runner.raises(ClientAuthenticationError, client.get_container_properties, code="AuthenticationFailed")


def sas(token):
    account = BlobServiceClient.from_connection_string(runner.connection_string())
    terms = {name: values[0] for name, values in parse_qs(token, strict_parsing=True).items()}
    maker = SharedAccessSignature(account.account_name, account.credential.account_key, x_ms_version=terms["sv"])
    made = maker.generate_account(
        services=terms["ss"],
        resource_types=terms["srt"],
        permission=terms["sp"],
        expiry=terms["se"],
        start=terms.get("st"),
        ip=terms.get("sip"),
        protocol=terms.get("spr"),
    )
    assert {name: values[0] for name, values in parse_qs(made).items()} == terms, (made, token)


if __name__ == "__main__":
    {"refused": refused, "sas": sas}[sys.argv[1]](sys.argv[2])
    print("1 passed, 0 failed")
