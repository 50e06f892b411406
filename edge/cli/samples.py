"""The commented files that `init` writes where there is none."""

GATEWAY_TOML = """\
# The gateway's configuration. `wayside check --config` judges it, touching nothing.
city = "demo"                        # a domain name or label
gateway = "gw-1"                     # a-z, 0-9 and hyphen; also the MQTT client id
data_dir = "var"                     # identity and journal; relative to this file
# heartbeat_s = 300

[broker]
url = "mqtt://127.0.0.1:1883"

# Whose receipts count: what `wayside ledger init` prints.
# [[ledger]]
# id = "ledger-1"
# public_key = "..."

# [batch]
# count_max = 10000
# age_max_s = 60

# [journal]
# commit_count_max = 512
# commit_age_max_ms = 50
# size_max_mb = 2048

# [health]
# interval_s = 30

# Who may open what is sealed: what `wayside authority init` prints.
# [[authority]]
# id = "transit-1"
# role = "transit"
# public_key = "..."

# [evidence]                         # of cameras; sealed to "traffic", raw pictures to "oversight" as well
# delete_after_s = 86400             # how long a copy stays once the authority has acknowledged it
# size_max_mb = 2048                 # above this acknowledged copies go at once
# upload_kb_s = 256

# [[device]]
# id = "meter-1"
# driver = "dsmr"                    # `wayside device list` names all drivers; their own keys follow
# port = "/dev/serial/by-id/usb-..."
# record_every_s = 900               # 0 records every telegram
"""

LEDGER_TOML = """\
# The city ledger's configuration.
city = "demo"                        # a domain name or label
id = "ledger-1"
data_dir = "var-ledger"              # identity and log; relative to this file

[broker]
url = "mqtt://127.0.0.1:1883"

# One table a gateway's key: what `wayside init` prints.
# [[gateway]]
# id = "gw-1"
# public_key = "..."
"""

AUTHORITY_TOML = """\
# An authority: who may open what gateways seal to its key. The key stays here, on no gateway.
city = "demo"                        # a domain name or label
id = "{role}-1"                  # a-z, 0-9 and hyphen
role = "{role}"                      # transit, traffic, utility, settlement, oversight
data_dir = "var-{role}"              # identity, and evidence; relative to this file, and of this authority alone

# What `wayside authority run` needs, to take evidence from gateways (role "traffic").
# size_max_mb = 65536
# [broker]
# url = "mqtt://127.0.0.1:1883"

# One table a gateway's key: what `wayside init` prints.
# [[gateway]]
# id = "gw-1"
# public_key = "..."
"""
