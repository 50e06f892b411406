"""`wayside demo`: the whole product on one machine in under a minute, with its plug pulled in mid-flow.

`run` composes; `story` says what happens in which order; `processes` and `child` are broker, ledger, gateway and meters
as processes, `validator` the fare validator; `watch` and `figures` measure; `audit` holds the validator's list against
the journal; `screen` and `closing` show. Needs the extra `demo`; everything else is what a city runs.
"""
