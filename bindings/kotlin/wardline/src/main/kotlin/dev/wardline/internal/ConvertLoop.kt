/*
 * What belongs to the closed loop (corrections, typed fields, filters, cautions, times), as values of this package for those
 * of the native library, and the other way round.
 */
package dev.wardline.internal

import dev.wardline.Amended
import dev.wardline.Caution
import dev.wardline.CriticalResult
import dev.wardline.Filter
import dev.wardline.Forwarded
import dev.wardline.Interrupts
import dev.wardline.LoopGrouping
import dev.wardline.LoopTimes
import dev.wardline.NoPatient
import dev.wardline.OneIdentifier
import dev.wardline.OpenItemsChange
import dev.wardline.Order
import dev.wardline.OtherName
import dev.wardline.Patient
import dev.wardline.PatientIdentifier
import dev.wardline.Quantiles
import dev.wardline.Sbar
import dev.wardline.SimilarPatient
import dev.wardline.Structured
import dev.wardline.UnknownCaution
import dev.wardline.VendorContent
import dev.wardline.Version
import dev.wardline.ffi.Amended as NativeAmended
import dev.wardline.ffi.Caution as NativeCaution
import dev.wardline.ffi.Filter as NativeFilter
import dev.wardline.ffi.Forwarded as NativeForwarded
import dev.wardline.ffi.LoopGrouping as NativeGrouping
import dev.wardline.ffi.LoopTimes as NativeTimes
import dev.wardline.ffi.OpenItemsChange as NativeChange
import dev.wardline.ffi.Patient as NativePatient
import dev.wardline.ffi.PatientIdentifier as NativeIdentifier
import dev.wardline.ffi.Quantiles as NativeQuantiles
import dev.wardline.ffi.Structured as NativeStructured
import dev.wardline.ffi.Version as NativeVersion

internal fun amended(native: NativeAmended): Amended =
    Amended(native.`by`, time(native.atMs), native.reason, native.versions.toLong())

internal fun version(native: NativeVersion): Version = Version(
    reference = native.reference,
    `by` = native.`by`,
    at = time(native.atMs),
    text = native.text,
    structured = native.structured?.let(::structured),
    reason = native.reason,
    stands = native.stands,
)

internal fun forwarded(native: NativeForwarded): Forwarded = Forwarded(
    isProven = native.proven,
    author = native.author,
    authorDevice = native.authorDevice,
    writtenAt = native.writtenAtMs?.let(::time),
    correctedAt = native.correctedAtMs?.let(::time),
    text = native.text,
    structured = native.structured?.let(::structured),
    patient = native.patient?.let(::patient),
    comment = native.comment,
)

internal fun Structured.lowered(): NativeStructured = when (this) {
    is Sbar -> NativeStructured.Sbar(situation, background, assessment, recommendation)
    is CriticalResult -> NativeStructured.CriticalResult(
        testName = testName,
        testCode = testCode,
        value = value,
        unit = unit,
        referenceRange = referenceRange,
        abnormalFlag = abnormalFlag,
        specimenAtMs = specimenAt?.let { millis("specimenAt", it) },
    )
    is Order -> NativeStructured.Order(what, dose, route, frequency, orderedBy)
    is VendorContent -> NativeStructured.Vendor(typeUri, body)
}

internal fun structured(native: NativeStructured): Structured = when (native) {
    is NativeStructured.Sbar -> Sbar(native.situation, native.background, native.assessment, native.recommendation)
    is NativeStructured.CriticalResult -> CriticalResult(
        testName = native.testName,
        value = native.value,
        unit = native.unit,
        testCode = native.testCode,
        referenceRange = native.referenceRange,
        abnormalFlag = native.abnormalFlag,
        specimenAt = native.specimenAtMs?.let(::time),
    )
    is NativeStructured.Order -> Order(native.what, native.orderedBy, native.dose, native.route, native.frequency)
    is NativeStructured.Vendor -> VendorContent(native.typeUri, native.body)
}

internal fun patient(native: NativePatient): Patient {
    val identifiers = native.identifiers.map { PatientIdentifier(it.system, it.value) }
    return Patient(identifiers, native.name, native.encounter)
}

internal fun Filter.lowered(): NativeFilter = NativeFilter(
    patient = patient.map { NativeIdentifier(it.system, it.value) },
    person = person,
    atLeast = atLeast?.lowered(),
    open = isOpen,
    conversation = conversation,
    sinceMs = since?.let { millis("since", it) },
    untilMs = until?.let { millis("until", it) },
    text = text,
)

internal fun caution(native: NativeCaution): Caution = when (native) {
    is NativeCaution.Interrupts -> Interrupts(priority(native.priority), native.open.toLong())
    is NativeCaution.NoPatient -> NoPatient
    is NativeCaution.OneIdentifier -> OneIdentifier(native.given.toLong())
    is NativeCaution.SimilarPatient -> SimilarPatient(patient(native.known), native.sameName)
    is NativeCaution.OtherName -> OtherName(patient(native.known))
    is NativeCaution.Unknown -> UnknownCaution
}

internal fun LoopGrouping.lowered(): NativeGrouping = when (this) {
    LoopGrouping.PERSON -> NativeGrouping.PERSON
    LoopGrouping.STAFF_ROLE -> NativeGrouping.STAFF_ROLE
    LoopGrouping.DEPARTMENT -> NativeGrouping.DEPARTMENT
    LoopGrouping.PRIORITY -> NativeGrouping.PRIORITY
}

internal fun loopTimes(native: NativeTimes): LoopTimes = LoopTimes(
    group = native.group,
    priority = native.priority?.let(::priority),
    messages = native.messages.toLong(),
    sentToDelivered = quantiles(native.sentToDelivered),
    sentToRead = quantiles(native.sentToRead),
    sentToAcknowledged = quantiles(native.sentToAcknowledged),
    eventToAcknowledged = quantiles(native.eventToAcknowledged),
    declined = native.declined.toLong(),
    unanswered = native.unanswered.toLong(),
    overdue = native.overdue.toLong(),
)

private fun quantiles(native: NativeQuantiles) =
    Quantiles(native.count.toLong(), duration(native.p50Ms), duration(native.p95Ms))

internal fun openItemsChange(native: NativeChange): OpenItemsChange =
    OpenItemsChange(native.removed, messages(native.updated), messages(native.added))
