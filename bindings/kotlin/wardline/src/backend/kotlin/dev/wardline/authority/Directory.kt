/*
 * People, teams and devices in an organization's directory, as values. What changes them stands in Authority.kt.
 */
package dev.wardline.authority

import java.time.Instant

/**
 * A person's standing function, as the EHR names it.
 *
 * @property code a code, such as `doctor`.
 * @property display what others see.
 * @property department the department; empty when there is none.
 */
public data class StaffRole @JvmOverloads constructor(
    val code: String,
    val display: String,
    val department: String = "",
)

/**
 * What is known of a person besides their devices.
 *
 * @property user the person's id.
 * @property displayName what others see.
 * @property fhirReferences for example `Practitioner/DR-CA-001`.
 * @property staffRoles their standing functions.
 */
public data class PersonDetails @JvmOverloads constructor(
    val user: String,
    val displayName: String,
    val fhirReferences: List<String> = emptyList(),
    val staffRoles: List<StaffRole> = emptyList(),
) {
    /** Shows no name. */
    override fun toString(): String = "PersonDetails($user)"
}

/**
 * A device in the directory.
 *
 * @property device its id.
 * @property enrolledAt when it was admitted.
 * @property revokedAt when it was revoked, if it was.
 * @property isVouched whether it is the person's first one, or a chain of vouches leads to it from there.
 */
public data class DeviceInfo(
    val device: String,
    val enrolledAt: Instant,
    val revokedAt: Instant?,
    val isVouched: Boolean,
)

/**
 * A person in the directory, with changes that are not published yet.
 *
 * @property details what is known of them.
 * @property active whether they belong to the organization.
 * @property devices their devices, revoked ones included.
 */
public data class PersonInfo(val details: PersonDetails, val active: Boolean, val devices: List<DeviceInfo>)

/**
 * An order to a device to erase itself, and whether it has obeyed.
 *
 * @property device the device.
 * @property reason why it was ordered.
 * @property orderedAt when it was ordered.
 * @property wipedAt when the device erased itself, by its own clock; null while it was not heard from.
 * @property unsentMessages messages that were lost with it: written there, and not taken by the relay.
 */
public data class WipeStatus(
    val device: String,
    val reason: String,
    val orderedAt: Instant,
    val wipedAt: Instant?,
    val unsentMessages: Long?,
)

/**
 * One person in a care team.
 *
 * @property user the person.
 * @property role their function in the team; empty when unknown.
 */
public data class TeamMember @JvmOverloads constructor(val user: String, val role: String = "")

/**
 * A care team.
 *
 * @property team the team's id.
 * @property displayName what its members see; it must not tell which patient it is about.
 * @property members its members, each once.
 * @property fhirReferences for example `CareTeam/careteam-00712328386f`.
 * @property active whether it works together now.
 */
public data class CareTeam @JvmOverloads constructor(
    val team: String,
    val displayName: String,
    val members: List<TeamMember>,
    val fhirReferences: List<String> = emptyList(),
    val active: Boolean = true,
) {
    /** Shows no name. */
    override fun toString(): String = "CareTeam($team)"
}

/**
 * A line of an import that was passed over. It quotes nothing of the line.
 *
 * @property file the file's name.
 * @property line the line, counted from 1.
 * @property problem what is wrong.
 */
public data class ImportProblem(val file: String, val line: Long, val problem: String)

/**
 * What an import did.
 *
 * @property peopleAdded people who are new in the directory.
 * @property peopleChanged people who were there before, and are different now.
 * @property peopleEnded people who were off-boarded, because the export calls them inactive.
 * @property teamsAdded care teams that are new in the directory.
 * @property teamsChanged care teams that were there before, and are different now.
 * @property skippedMembers members of care teams who are no staff of the directory.
 * @property problems lines that were passed over.
 */
public data class ImportReport(
    val peopleAdded: Long,
    val peopleChanged: Long,
    val peopleEnded: Long,
    val teamsAdded: Long,
    val teamsChanged: Long,
    val skippedMembers: Long,
    val problems: List<ImportProblem>,
)

/**
 * What one round of publishing did.
 *
 * @property admitted devices that were admitted and published.
 * @property refused how many requests of devices were refused; they will not come again.
 * @property published the version of the newest head that this round published or found confirmed.
 */
public data class PublishReport(val admitted: List<String>, val refused: Long, val published: Long?)
