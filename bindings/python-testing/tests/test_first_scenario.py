"""The scenario that the page for QA begins with, word for word."""


async def test_a_critical_result_reaches_a_locked_phone_in_the_basement(ward):
    doctor = await ward.device("Dr. Gupta")
    nurse = await ward.device("Nurse Okafor", network="basement Wi-Fi")
    nurse.lock()
    message = await doctor.send(nurse, "K 6.6 mmol/L, please repeat", priority="stat")
    await ward.until(nurse.delivered(message))
    await nurse.unlock()
    await nurse.opens(message)
    await ward.until(nurse.read(message))
    await ward.assert_exactly_once(message)
    await ward.assert_nothing_leaked()
