import Libraries
import Testing

@Suite("XML")
struct XMLTests {
    private func read(_ text: String) throws -> XMLElement {
        try XMLElement(document: Array(text.utf8))
    }

    @Test func elementsAttributesAndTextsAreThere() throws {
        let root = try read(
            "<?xml version='1.0'?><domain type='kvm'>\n <name> guest1 </name>\n"
                + "<disk a='1' b='&lt;2&gt;'/><disk/>t<!-- no --></domain>")
        #expect(root.name == "domain" && root.attributes == ["type": "kvm"])
        #expect(root["name"]?.text == "guest1")
        #expect(root.all("disk").map(\.attributes) == [["a": "1", "b": "<2>"], [:]])
        #expect(root.text == "t")
        #expect(root["vcpu"] == nil)
    }

    @Test(arguments: ["", "<a>", "<a></b>", "no", "<a/><b/>", "<a b=1/>", "\u{0}<a/>"])
    func whatIsNoDocumentIsRefusedWithItsLine(_ text: String) {
        let error = #expect(throws: LibraryError.self) { try read(text) }
        #expect(error?.reason.contains("line 1") == true, "\(String(describing: error))")
    }

    @Test func entitiesThatMultiplyAreRefused() {
        let text = "<!DOCTYPE a [<!ENTITY x 'xx'><!ENTITY y '&x;&x;'>]><a>&y;</a>"
        #expect(throws: LibraryError.self) { try read(text) }
    }

    @Test func aDepthThatNobodyWritesIsRefused() {
        let text = String(repeating: "<a>", count: 100) + String(repeating: "</a>", count: 100)
        #expect(throws: LibraryError.self) { try read(text) }
    }
}
