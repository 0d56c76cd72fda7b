// Messages with typed fields, which any client can show as text.

import Foundation
internal import WardlineFFI

/// What a structured message says. Printing it shows nothing of what was written. Later versions add cases.
public enum Structured: Hashable, Sendable {
    /// A handoff: `wardline.sbar/1`. At least the situation is not empty.
    case sbar(Sbar)
    /// A critical result: `wardline.critical-result/1`. Its test (by name or code) and its value are not empty. It asks for
    /// an answer, and nobody accepts it without reading it back.
    case criticalResult(CriticalResult)
    /// An order by text: `wardline.order/1`. What is ordered is not empty. It asks for an answer, and nobody accepts it
    /// without reading it back.
    case order(Order)
    /// A type of somebody else's. The message needs a text besides, which every app shows.
    case vendor(Vendor)

    /// A handoff. Fields that may be missing are empty.
    public struct Sbar: Hashable, Sendable {
        /// What is happening.
        public var situation: String
        /// What led to it.
        public var background: String
        /// What the author makes of it.
        public var assessment: String
        /// What the author asks for.
        public var recommendation: String

        /// A handoff.
        public init(situation: String, background: String = "", assessment: String = "", recommendation: String = "") {
            self.situation = situation
            self.background = background
            self.assessment = assessment
            self.recommendation = recommendation
        }
    }

    /// A critical result. Fields that may be missing are empty.
    public struct CriticalResult: Hashable, Sendable {
        /// What was measured, as people say it.
        public var testName: String
        /// What was measured, as systems say it, such as the LOINC code `2823-3`.
        public var testCode: String
        /// The value, as the laboratory writes it.
        public var value: String
        /// Its unit, such as `mmol/L`.
        public var unit: String
        /// What is normal, such as `3.5-5.0`.
        public var referenceRange: String
        /// How abnormal it is, in the letters of HL7 table 0078 such as `HH`.
        public var abnormalFlag: String
        /// When the specimen was taken.
        public var specimenAt: Date?

        /// A result.
        public init(
            testName: String, testCode: String = "", value: String, unit: String = "", referenceRange: String = "",
            abnormalFlag: String = "", specimenAt: Date? = nil
        ) {
            self.testName = testName
            self.testCode = testCode
            self.value = value
            self.unit = unit
            self.referenceRange = referenceRange
            self.abnormalFlag = abnormalFlag
            self.specimenAt = specimenAt
        }
    }

    /// An order. Fields that may be missing are empty.
    public struct Order: Hashable, Sendable {
        /// What is ordered.
        public var what: String
        /// How much.
        public var dose: String
        /// Which way.
        public var route: String
        /// How often.
        public var frequency: String
        /// Who orders it: the author, or whom the author writes for. Only the author is proven.
        public var orderedBy: String

        /// An order.
        public init(what: String, dose: String = "", route: String = "", frequency: String = "", orderedBy: String) {
            self.what = what
            self.dose = dose
            self.route = route
            self.frequency = frequency
            self.orderedBy = orderedBy
        }
    }

    /// A content of a type of somebody else's.
    public struct Vendor: Hashable, Sendable {
        /// The vendor's domain, a name and a version: `vendor.example.com/form/1`.
        public var typeURI: String
        /// What only the vendor's apps read, at most 64 KiB.
        public var body: Data

        /// A content.
        public init(typeURI: String, body: Data) {
            self.typeURI = typeURI
            self.body = body
        }
    }
}

extension Structured: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows nothing of what was written.
    public var description: String { "Structured(…)" }
    /// Shows nothing of what was written.
    public var debugDescription: String { description }
    /// Shows nothing of what was written.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Structured.Sbar: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows nothing of what was written.
    public var description: String { "Sbar(…)" }
    /// Shows nothing of what was written.
    public var debugDescription: String { description }
    /// Shows nothing of what was written.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Structured.CriticalResult: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows nothing of what was written.
    public var description: String { "CriticalResult(…)" }
    /// Shows nothing of what was written.
    public var debugDescription: String { description }
    /// Shows nothing of what was written.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Structured.Order: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows nothing of what was written.
    public var description: String { "Order(…)" }
    /// Shows nothing of what was written.
    public var debugDescription: String { description }
    /// Shows nothing of what was written.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Structured.Vendor: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows nothing of what was written.
    public var description: String { "Vendor(…)" }
    /// Shows nothing of what was written.
    public var debugDescription: String { description }
    /// Shows nothing of what was written.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Structured {
    init(_ structured: WardlineFFI.Structured) {
        self =
            switch structured {
            case .sbar(let situation, let background, let assessment, let recommendation):
                .sbar(
                    Sbar(
                        situation: situation, background: background, assessment: assessment,
                        recommendation: recommendation))
            case .criticalResult(
                let testName, let testCode, let value, let unit, let referenceRange, let abnormalFlag,
                let specimenAtMs):
                .criticalResult(
                    CriticalResult(
                        testName: testName, testCode: testCode, value: value, unit: unit,
                        referenceRange: referenceRange, abnormalFlag: abnormalFlag,
                        specimenAt: specimenAtMs.map(Date.init(millis:))))
            case .order(let what, let dose, let route, let frequency, let orderedBy):
                .order(Order(what: what, dose: dose, route: route, frequency: frequency, orderedBy: orderedBy))
            case .vendor(let typeUri, let body): .vendor(Vendor(typeURI: typeUri, body: body))
            }
    }

    var native: WardlineFFI.Structured {
        switch self {
        case .sbar(let sbar):
            .sbar(
                situation: sbar.situation, background: sbar.background, assessment: sbar.assessment,
                recommendation: sbar.recommendation)
        case .criticalResult(let result):
            .criticalResult(
                testName: result.testName, testCode: result.testCode, value: result.value, unit: result.unit,
                referenceRange: result.referenceRange, abnormalFlag: result.abnormalFlag,
                specimenAtMs: result.specimenAt?.millis)
        case .order(let order):
            .order(
                what: order.what, dose: order.dose, route: order.route, frequency: order.frequency,
                orderedBy: order.orderedBy)
        case .vendor(let vendor): .vendor(typeUri: vendor.typeURI, body: vendor.body)
        }
    }
}
