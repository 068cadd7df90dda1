/// The JSON form of facts (docs/json.md).

extension Fact: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("scope", subject.word)
        try object.value("name", name.rawValue)
        switch value {
        case .flag(let flag): try object.value("value", flag)
        // Sizes in bytes are whole, and too long for three decimals.
        case .number(let number) where number == number.rounded() && abs(number) < 1e15:
            try object.value("value", Int64(number))
        case .number(let number): try object.number("value", number)
        case .text(let text): try object.value("value", text)
        case .texts(let texts): try object.value("value", texts)
        case nil: try object.value("value", String?.none)
        }
        try object.value("source", source)
        try object.value("reason", reason)
    }
}
