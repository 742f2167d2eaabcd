"""The journal's tables. A step once released never changes; a new version appends a step."""

APPLICATION_ID = 0x4F544E4A
"""``OTNJ``, in the file's header: tells a journal from any other SQLite database."""

_V1 = """
CREATE TABLE configurations (
    seq INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,
    version TEXT NOT NULL,
    text TEXT NOT NULL,
    applied_at TEXT NOT NULL
) STRICT;

CREATE TABLE accounts (
    seq INTEGER PRIMARY KEY,
    mode TEXT NOT NULL,
    venue TEXT NOT NULL,
    uid TEXT NOT NULL,
    UNIQUE (mode, venue, uid)
) STRICT;

-- Every claim, whatever came of it; `defect` says why what came is no decision.
CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    digest TEXT NOT NULL,
    payload TEXT NOT NULL,
    defect TEXT,
    received_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    configuration INTEGER REFERENCES configurations (seq),
    UNIQUE (source, id)
) STRICT;

CREATE TABLE positions (
    source TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE symbols (
    symbol TEXT PRIMARY KEY,
    first_met_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What a decision was judged on, and how: the top of the book as JSON [[price, qty], ...], equity,
-- and the verdicts as a JSON array, which the view below shows one row each.
CREATE TABLE snapshots (
    decision INTEGER PRIMARY KEY REFERENCES decisions (seq),
    symbol TEXT,
    taken_at TEXT,
    bids TEXT,
    asks TEXT,
    equity TEXT,
    verdicts TEXT NOT NULL
) STRICT;

CREATE VIEW verdicts (decision, n, code, allowed, message, threshold, value) AS
SELECT s.decision, v.key,
    json_extract(v.value, '$.code'), json_extract(v.value, '$.allowed'),
    json_extract(v.value, '$.message'), json_extract(v.value, '$.limit'),
    json_extract(v.value, '$.value')
FROM snapshots s, json_each(s.verdicts) v;

-- Intents and what became of them. The reservation counts until the phase is SETTLED.
CREATE TABLE orders (
    seq INTEGER PRIMARY KEY,
    client_order_id TEXT NOT NULL UNIQUE,
    decision INTEGER NOT NULL REFERENCES decisions (seq),
    account INTEGER NOT NULL REFERENCES accounts (seq),
    symbol TEXT NOT NULL,
    venue_symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    qty TEXT NOT NULL,
    price TEXT,
    order_type TEXT NOT NULL,
    time_in_force TEXT,
    requested_qty TEXT NOT NULL,
    reserved_qty TEXT NOT NULL,
    reserved_price TEXT NOT NULL,
    paper_status TEXT,
    paper_qty TEXT,
    paper_quote_qty TEXT,
    paper_fee TEXT,
    paper_fee_asset TEXT,
    recorded_at TEXT NOT NULL,
    expires_at TEXT,
    phase TEXT NOT NULL DEFAULT 'INTENT' CHECK (phase IN ('INTENT', 'OUTCOME', 'SETTLED')),
    state TEXT,
    status TEXT,
    order_id TEXT,
    signed_at_ms INTEGER,
    filled_qty TEXT NOT NULL DEFAULT '0',
    quote_qty TEXT NOT NULL DEFAULT '0',
    message TEXT NOT NULL DEFAULT '',
    code TEXT,
    venue_code INTEGER,
    transact_time TEXT,
    raw TEXT NOT NULL DEFAULT '',
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX orders_open ON orders (seq) WHERE phase <> 'SETTLED';

-- Both sides of a trade with oneself carry one trade id, hence the side.
CREATE TABLE fills (
    seq INTEGER PRIMARY KEY,
    "order" INTEGER NOT NULL REFERENCES orders (seq),
    account INTEGER NOT NULL REFERENCES accounts (seq),
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    price TEXT NOT NULL,
    qty TEXT NOT NULL,
    quote_qty TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_asset TEXT NOT NULL,
    at TEXT NOT NULL,
    is_maker INTEGER NOT NULL,
    UNIQUE (account, symbol, trade_id, side)
) STRICT;
CREATE INDEX fills_of_order ON fills ("order");

CREATE TABLE executions (
    decision INTEGER PRIMARY KEY REFERENCES decisions (seq),
    symbol TEXT NOT NULL,
    side TEXT,
    qty TEXT NOT NULL,
    outcome TEXT NOT NULL,
    mode TEXT NOT NULL,
    client_order_id TEXT,
    paper_status TEXT,
    paper_qty TEXT NOT NULL,
    paper_fill_price TEXT,
    paper_fee TEXT NOT NULL,
    paper_fee_asset TEXT NOT NULL,
    broker_ok INTEGER NOT NULL,
    broker_order_id TEXT,
    broker_message TEXT NOT NULL,
    broker_code TEXT,
    broker_ack_time TEXT,
    broker_qty TEXT NOT NULL,
    broker_fill_price TEXT,
    broker_fees TEXT NOT NULL,
    latency_ms REAL,
    slippage_estimate TEXT,
    requested_qty TEXT,
    stages_ns TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    terminal INTEGER NOT NULL
) STRICT;

-- What an execution row was before it was updated, as JSON of its columns.
CREATE TABLE executions_history (
    seq INTEGER PRIMARY KEY,
    decision INTEGER NOT NULL REFERENCES decisions (seq),
    execution TEXT NOT NULL,
    replaced_at TEXT NOT NULL
) STRICT;
CREATE INDEX executions_history_of_decision ON executions_history (decision);

-- Kept by triggers, so that a status need not count a million rows.
CREATE TABLE outcome_counts (
    outcome TEXT PRIMARY KEY,
    decisions INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER executions_counted AFTER INSERT ON executions BEGIN
    INSERT INTO outcome_counts VALUES (new.outcome, 1)
        ON CONFLICT DO UPDATE SET decisions = decisions + 1;
END;
CREATE TRIGGER executions_recounted AFTER UPDATE OF outcome ON executions
WHEN old.outcome <> new.outcome BEGIN
    UPDATE outcome_counts SET decisions = decisions - 1 WHERE outcome = old.outcome;
    INSERT INTO outcome_counts VALUES (new.outcome, 1)
        ON CONFLICT DO UPDATE SET decisions = decisions + 1;
END;

-- Simulated accounts: `opening` (JSON) with all entries applied gives balances and costs.
CREATE TABLE ledgers (
    seq INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    opening TEXT NOT NULL,
    opened_at TEXT NOT NULL
) STRICT;

CREATE TABLE ledger_entries (
    seq INTEGER PRIMARY KEY,
    ledger INTEGER NOT NULL REFERENCES ledgers (seq),
    decision INTEGER NOT NULL REFERENCES decisions (seq),
    symbol TEXT NOT NULL,
    base_change TEXT NOT NULL,
    quote_change TEXT NOT NULL,
    changes TEXT NOT NULL,
    recorded_at TEXT NOT NULL
) STRICT;
CREATE INDEX ledger_entries_of_decision ON ledger_entries (decision);

CREATE TABLE ledger_balances (
    ledger INTEGER NOT NULL REFERENCES ledgers (seq),
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY (ledger, asset)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_costs (
    ledger INTEGER NOT NULL REFERENCES ledgers (seq),
    symbol TEXT NOT NULL,
    qty TEXT NOT NULL,
    total TEXT NOT NULL,
    realised TEXT NOT NULL,
    PRIMARY KEY (ledger, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE kill_events (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    by TEXT NOT NULL
) STRICT;

CREATE TABLE equity (
    seq INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    equity TEXT NOT NULL,
    currency TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_V2 = """
-- Until when a venue takes no request from this address: it must outlive the process.
CREATE TABLE bans (
    venue TEXT PRIMARY KEY,
    until TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Orders of the account that are not ours, as the venue told of them last.
CREATE TABLE external_orders (
    venue TEXT NOT NULL,
    symbol TEXT NOT NULL,
    order_id TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    side TEXT NOT NULL,
    qty TEXT NOT NULL,
    price TEXT,
    status TEXT NOT NULL,
    filled_qty TEXT NOT NULL,
    quote_qty TEXT NOT NULL,
    first_seen_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (venue, symbol, order_id)
) STRICT, WITHOUT ROWID;

-- The venue's trades are compared with ours: by its order ids, and from a recent fill on.
CREATE INDEX orders_by_venue_id ON orders (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX fills_by_symbol ON fills (account, symbol, seq);
"""

_V3 = """
-- What makes an order more than a limit: when it triggers, and how much of it is shown.
ALTER TABLE orders ADD COLUMN stop_price TEXT;
ALTER TABLE orders ADD COLUMN trailing_delta_bps INTEGER;
ALTER TABLE orders ADD COLUMN iceberg_qty TEXT;

-- Orders that rest on a simulated account; one that has ended is deleted, its fills are entries.
CREATE TABLE resting_orders (
    seq INTEGER PRIMARY KEY,
    decision INTEGER NOT NULL REFERENCES decisions (seq),
    leg TEXT NOT NULL,
    ledger TEXT NOT NULL,
    symbol TEXT NOT NULL,
    venue_symbol TEXT NOT NULL,
    client_order_id TEXT,
    side TEXT NOT NULL,
    qty TEXT NOT NULL,
    price TEXT,
    order_type TEXT NOT NULL,
    time_in_force TEXT,
    stop_price TEXT,
    trailing_delta_bps INTEGER,
    fee_pct TEXT NOT NULL,
    filled_qty TEXT NOT NULL,
    quote_qty TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_asset TEXT NOT NULL,
    decides INTEGER NOT NULL,
    expires_at TEXT,
    is_triggered INTEGER NOT NULL,
    best_price TEXT,
    UNIQUE (decision, leg)
) STRICT;
"""

_V4 = """
-- In what a configuration differs from the one before: JSON of [{"key", "old", "new"}, ...].
ALTER TABLE configurations ADD COLUMN diff TEXT;

-- Rehearsals of the kill switch: milliseconds from the signal on, null for what was not measured.
CREATE TABLE drills (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    by TEXT NOT NULL,
    environment TEXT NOT NULL,
    mode TEXT NOT NULL,
    latch_ms REAL NOT NULL,
    last_order_ms REAL,
    orders_cancelled INTEGER NOT NULL,
    verified_ms REAL
) STRICT;

-- What an order was judged to be worth, in the account currency; what it is taken to cost where its
-- fee is in a third asset; and what it has realised so far against the cost of what it sold, in
-- quote, NULL where nothing of known cost was sold.
ALTER TABLE orders ADD COLUMN notional TEXT NOT NULL DEFAULT '0';
ALTER TABLE orders ADD COLUMN fee_pct TEXT NOT NULL DEFAULT '0';
ALTER TABLE orders ADD COLUMN realised TEXT;

-- What was ordered, by account, UTC day and symbol: ended orders by what they filled, others whole.
CREATE TABLE order_days (
    account INTEGER NOT NULL REFERENCES accounts (seq),
    day TEXT NOT NULL,
    symbol TEXT NOT NULL,
    orders INTEGER NOT NULL,
    notional TEXT NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (account, day, symbol)
) STRICT, WITHOUT ROWID;

-- What own fills of a live account cost, by symbol; simulated accounts have theirs in ledger_costs.
CREATE TABLE costs (
    account INTEGER NOT NULL REFERENCES accounts (seq),
    symbol TEXT NOT NULL,
    qty TEXT NOT NULL,
    total TEXT NOT NULL,
    realised TEXT NOT NULL,
    PRIMARY KEY (account, symbol)
) STRICT, WITHOUT ROWID;

-- Orders that sold something of known cost, as they ended.
CREATE TABLE closings (
    seq INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (seq),
    "order" INTEGER NOT NULL UNIQUE REFERENCES orders (seq),
    realised TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX closings_of_account ON closings (account, seq);

-- What losses are measured from.
CREATE TABLE equity_marks (
    account INTEGER PRIMARY KEY REFERENCES accounts (seq),
    day TEXT NOT NULL,
    day_start TEXT NOT NULL,
    highest TEXT NOT NULL
) STRICT;

-- Orders that wait, or waited, for a person: a row each time one was asked. `ruling` is how that
-- ended, by whom (nobody, where it expired), when, why, and under which configuration.
CREATE TABLE approvals (
    seq INTEGER PRIMARY KEY,
    decision INTEGER NOT NULL REFERENCES decisions (seq),
    account INTEGER NOT NULL REFERENCES accounts (seq),
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    qty TEXT NOT NULL,
    requested_qty TEXT NOT NULL,
    notional TEXT NOT NULL,
    reason TEXT NOT NULL,
    parked_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    ruling TEXT CHECK (ruling IN ('approved', 'denied', 'expired')),
    ruled_by TEXT,
    ruled_at TEXT,
    ruling_reason TEXT,
    configuration INTEGER REFERENCES configurations (seq)
) STRICT;
CREATE UNIQUE INDEX approvals_waiting ON approvals (decision) WHERE ruling IS NULL;

-- What a decision was judged on before it was judged again.
CREATE TABLE snapshots_history (
    seq INTEGER PRIMARY KEY,
    decision INTEGER NOT NULL REFERENCES decisions (seq),
    symbol TEXT,
    taken_at TEXT,
    bids TEXT,
    asks TEXT,
    equity TEXT,
    verdicts TEXT NOT NULL,
    replaced_at TEXT NOT NULL
) STRICT;
CREATE INDEX snapshots_history_of_decision ON snapshots_history (decision);
"""

MIGRATIONS: tuple[str, ...] = (_V1, _V2, _V3, _V4)
"""Scripts that lead from version n to n + 1; the newest version is their number."""
