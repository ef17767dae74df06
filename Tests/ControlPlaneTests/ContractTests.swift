// SPDX-License-Identifier: MIT

import FoundationEssentials
import JSON
import Model
import Testing

@testable import ControlPlane

@Suite("The contract")
struct ContractTests {
    @Test("the document that is served was made from the one in openapi/")
    func upToDate() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let source = try Data(contentsOf: root.appending(path: "openapi/mcp-gateway.openapi.yaml"))
        let sum = source.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        #expect(sum == openAPISourceChecksum, "run dev/generate-openapi")
    }

    @Test("the document lists the codes, statuses and limits that the code has")
    func codes() throws {
        let text = openAPIDocument.withUTF8Buffer { Array($0) }
        let document = try JSONParser.parse(text)
        let schemas = document["components"]?["schemas"]
        #expect(strings(schemas?["Problem"]?["properties"]?["code"]?["enum"]) == Problem.Code.allCases.map(\.rawValue))
        #expect(
            strings(schemas?["Problem"]?["properties"]?["errors"]?["items"]?["properties"]?["code"]?["enum"])
                == FieldFault.Code.allCases.map(\.rawValue))
        #expect(
            Set(strings(schemas?["AdapterName"]?["not"]?["enum"])) == AdapterName.reserved)
        #expect(
            schemas?["NewAdapter"]?["properties"]?["replicaCount"]?["maximum"]
                == .integer(Int64(AdapterLimits().replicas)))
    }

    private func strings(_ value: JSONValue?) -> [String] {
        guard case .array(let values) = value else { return [] }
        return values.compactMap { if case .string(let text) = $0 { text } else { nil } }
    }
}
