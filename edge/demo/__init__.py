"""`wayside demo`: the whole product on one machine in under a minute, with its plug pulled in mid-flow.

`run` composes; `story` says what happens in which order; `processes` are broker, ledger, gateway and meters (a scenario
of the dev harness), `validator` the fare validator; `watch` and `figures` measure; `audit` holds what the devices said
against the journal; `screen` and `closing` show. Needs the extra `demo`; everything else is what a city runs.
"""
