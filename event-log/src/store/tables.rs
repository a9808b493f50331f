//! What of the log comes along when it is moved to another database. Leases do not: they are held by programs that have the log open.

use database::moving::table::{
    Kind::{Bytes, Int, Json, Text, Time, Uuid},
    Table,
};

pub const TABLES: &[Table] = &[
    Table { name: "store_meta", key: 1, seeded: true, columns: &[("key", Text), ("value", Text)] },
    Table { name: "heads", key: 1, seeded: true, columns: &[("partition", Int), ("position", Int), ("recorded_at", Time)] },
    Table { name: "epochs", key: 2, seeded: false, columns: &[("epoch", Int), ("partition", Int), ("start", Int)] },
    Table {
        name: "events",
        key: 2,
        seeded: false,
        columns: &[
            ("partition", Int),
            ("position", Int),
            ("event_id", Uuid),
            ("stream_id", Uuid),
            ("version", Int),
            ("type", Text),
            ("schema_version", Int),
            ("payload", Text),
            ("metadata", Json),
            ("recorded_at", Time),
        ],
    },
    Table { name: "streams", key: 1, seeded: false, columns: &[("stream_id", Uuid), ("kind", Text), ("partition", Int), ("version", Int)] },
    Table { name: "claims", key: 1, seeded: false, columns: &[("claim", Bytes), ("stream_id", Uuid)] },
    Table { name: "links", key: 3, seeded: false, columns: &[("kind", Text), ("key", Uuid), ("stream_id", Uuid)] },
    Table {
        name: "command_keys",
        key: 1,
        seeded: false,
        columns: &[
            ("command_key", Bytes),
            ("fingerprint", Bytes),
            ("stream_id", Uuid),
            ("partition", Int),
            ("expected", Int),
            ("version", Int),
            ("position", Int),
            ("expires_at", Int),
        ],
    },
    Table { name: "policy_checkpoints", key: 2, seeded: false, columns: &[("policy", Text), ("partition", Int), ("position", Int)] },
    Table {
        name: "policy_parked",
        key: 3,
        seeded: false,
        columns: &[("policy", Text), ("partition", Int), ("position", Int), ("reason", Text), ("parked_at", Time)],
    },
    Table { name: "relay_positions", key: 2, seeded: false, columns: &[("topic", Text), ("partition", Int), ("position", Int)] },
    Table {
        name: "operator_actions",
        key: 1,
        seeded: false,
        columns: &[("action_id", Uuid), ("at", Time), ("operator", Text), ("action", Text), ("details", Json), ("address", Text)],
    },
];
