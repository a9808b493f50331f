//! One trace from the command through the topic to the row, as a collector sees it.

use std::{
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    client::{Client, eventually},
    home::Home,
    server::Server,
    topic::{through, verified},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const PUT: &str = "PUT /api/v1/pizzas/{id}/reaction";

/// A collector: what it was sent, with the names of the services.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

impl Collector {
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        (collector, url)
    }

    /// All spans of a trace so far.
    fn spans(&self, trace: &str) -> Vec<(String, Span)> {
        self.0.lock().unwrap().iter().filter(|(_, span)| hex(&span.trace_id) == trace).cloned().collect()
    }

    /// The spans of this name in a trace, as soon as there is one.
    async fn named(&self, trace: &str, name: &str) -> Vec<Span> {
        let found = async || {
            let named: Vec<_> = self.spans(trace).into_iter().map(|(_, span)| span).filter(|span| span.name == name).collect();
            (!named.is_empty()).then_some(named)
        };
        eventually(&format!("a span {name}"), found).await
    }

    async fn only(&self, trace: &str, name: &str) -> Span {
        let mut named = self.named(trace, name).await;
        assert_eq!(named.len(), 1, "{named:?}");
        named.remove(0)
    }
}

async fn take(State(Collector(spans)): State<Collector>, body: Bytes) -> Vec<u8> {
    for resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
        let service = told(&resource.resource.unwrap_or_default().attributes, "service.name");
        let sent = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.lock().unwrap().extend(sent.map(|span| (service.clone(), span)));
    }
    vec![]
}

fn told(attributes: &[KeyValue], key: &str) -> String {
    let value = attributes.iter().find(|told| told.key == key).and_then(|told| told.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn traced(home: &Home, collector: &str) -> Home {
    home.with("OTEL_EXPORTER_OTLP_ENDPOINT", Path::new(collector)).with("OTEL_BSP_SCHEDULE_DELAY", Path::new("50"))
}

async fn likes(client: &Client, pizza: &str, traceparent: &str) {
    let put = client.request(Method::PUT, &format!("{pizza}/reaction")).header("traceparent", traceparent);
    client.answer(put.json(&json!({ "reaction": "like" }))).await.unwrap().expect(StatusCode::CREATED);
}

#[tokio::test]
async fn a_trace_leads_from_the_request_over_the_topic_to_the_row_and_to_what_policies_make_of_it() {
    let Ok(servers) = test_servers::shared_broker() else { return };
    let (collector, url) = Collector::start().await;
    let home = traced(&through(&Home::in_files(), &servers), &url);
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    likes(&luigi, &pizza, &format!("00-{TRACE}-{CALLER}-01")).await;

    let (request, append) = (collector.only(TRACE, PUT).await, collector.only(TRACE, "append").await);
    let (relay, folds) = (collector.only(TRACE, "relay").await, collector.named(TRACE, "fold").await);
    assert_eq!((hex(&request.parent_span_id).as_str(), request.kind()), (CALLER, SpanKind::Server));
    assert_eq!(told(&request.attributes, "http.response.status_code"), "IntValue(201)");
    assert_eq!(told(&request.attributes, "http.route"), "/api/v1/pizzas/{id}/reaction");
    assert_eq!(append.parent_span_id, request.span_id);
    assert_eq!((&relay.parent_span_id, relay.kind()), (&append.span_id, SpanKind::Producer));
    assert_eq!(told(&relay.attributes, "messaging.destination.name"), home.setting("KAFKA_TOPIC"));
    for fold in &folds {
        assert_eq!((&fold.parent_span_id, fold.kind()), (&relay.span_id, SpanKind::Consumer));
        assert_eq!(
            (told(&fold.attributes, "messaging.system"), told(&fold.attributes, "tizza.event")),
            ("kafka".into(), "PizzaLiked".into())
        );
        assert_eq!(collector.only(&hex(&fold.links[0].trace_id), "fold batch").await.span_id, fold.links[0].span_id);
    }
    assert!(collector.spans(TRACE).iter().all(|(service, _)| service == "tizza-all-in-one"));
    let line = server.logged().into_iter().find(|line| line["trace_id"] == TRACE).expect("the log line names the trace");
    assert_eq!(line["route"], "/api/v1/pizzas/{id}/reaction");

    let other = TRACE.replace('4', "5");
    let leaves = luigi.request(Method::DELETE, "/api/v1/users/me").header("traceparent", format!("00-{other}-{CALLER}-01"));
    luigi.answer(leaves).await.unwrap().expect(StatusCode::ACCEPTED);
    let closes = collector.only(&other, "close_pizzerias_of_deleted").await;
    let deletes = collector.only(&other, "delete_pizzas_of_closed").await;
    let appends = collector.named(&other, "append").await;
    let parent = |of: &Span| appends.iter().find(|append| append.span_id == of.parent_span_id).unwrap().parent_span_id.clone();
    assert_eq!(parent(&deletes), closes.span_id, "one policy goes on from the other's event");
    assert_eq!(verified(&home)["topic"]["foreign"], 0);
}

#[tokio::test]
async fn without_a_collector_the_callers_trace_is_passed_on_and_nonsense_is_not() {
    let home = Home::in_files();
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    let (margherita, marinara) = (luigi.creates_pizza("Margherita").await, luigi.creates_pizza("Marinara").await);
    let caller = format!("00-{TRACE}-{CALLER}-01");
    likes(&luigi, &margherita, &caller).await;
    likes(&luigi, &marinara, "00-nonsense-01").await;
    let shown = home.tizza().args(["log", "export"]).output().unwrap();
    let events: Vec<serde_json::Value> =
        String::from_utf8(shown.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let liked: Vec<_> = events.iter().filter(|event| event["type"] == "PizzaLiked").map(|event| event["traceparent"].as_str()).collect();
    assert!(liked.len() == 2 && liked.contains(&Some(&caller)) && liked.contains(&None), "{liked:?}");
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_line_and_delays_no_end() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    for (collector, lines) in [(closed, 1), (hangs.local_addr().unwrap(), 0)] {
        let mut server = Server::start_in(&traced(&Home::in_files(), &format!("http://{collector}")));
        let luigi = server.user("luigi").await;
        luigi.opens_pizzeria().await;
        let says =
            |server: &Server| server.logged().iter().filter(|line| line["message"].as_str().unwrap().starts_with("the collector")).count();
        eventually("it is said", async || (says(&server) == lines).then_some(())).await;
        // The one that is there is being spoken to, and does not answer.
        let _held = (lines == 0).then(|| hangs.accept().unwrap());
        luigi.creates_pizza("Margherita").await;
        let told = Instant::now();
        server.signal("TERM");
        assert_eq!(server.ended().code(), Some(0));
        assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
        assert_eq!(says(&server), lines, "no more than that");
    }
}
