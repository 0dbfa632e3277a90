//! Calls of functions on the wire.

use super::*;

/// A call of a function.
pub(super) fn samples() -> Vec<ServerBody> {
    use ServerBody as B;
    let arguments = || r#"{"city":"Paris"}"#.to_owned();
    let (response_id, item_id, call_id) = (|| "resp_1".to_owned(), || "item_3".to_owned(), || "call_1".to_owned());
    let whole = || ItemView::function(item_id(), FunctionKind::Call, call_id(), "get_weather".into(), arguments());
    let begun = ItemView { status: ItemStatus::InProgress, arguments: Some(String::new()), ..whole() };
    vec![
        B::OutputItemAdded { response_id: response_id(), output_index: 0, item: begun },
        B::ArgumentsDelta {
            response_id: response_id(),
            item_id: item_id(),
            output_index: 0,
            call_id: call_id(),
            delta: arguments(),
        },
        B::ArgumentsDone {
            response_id: response_id(),
            item_id: item_id(),
            output_index: 0,
            call_id: call_id(),
            name: "get_weather".into(),
            arguments: arguments(),
        },
        B::OutputItemDone { response_id: response_id(), output_index: 0, item: whole() },
    ]
}
