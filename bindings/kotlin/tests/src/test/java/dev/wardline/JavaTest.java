/*
 * The package as Java sees it: futures, listeners, try-with-resources, a transport and a key store in Java.
 */
package dev.wardline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wardline.future.BlockingKeyStore;
import dev.wardline.future.FutureClient;
import dev.wardline.future.FutureTransport;
import dev.wardline.testing.WakeUp;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JavaTest {
    @TempDir
    Path folder;

    @Test
    void javaSendsAndReceives() throws Exception {
        try (JavaWard ward = new JavaWard(folder.toFile());
                FutureClient nurse = enroll(ward, "NS-1");
                FutureClient doctor = enroll(ward, "DR-1")) {
            ward.publish();
            doctor.syncOnce().get(20, TimeUnit.SECONDS);
            nurse.syncOnce().get(20, TimeUnit.SECONDS);

            BlockingQueue<Event> heard = new ArrayBlockingQueue<>(100);
            BlockingQueue<ConversationListSnapshot> shown = new ArrayBlockingQueue<>(100);
            try (AutoCloseable listening = doctor.events(heard::add);
                    AutoCloseable watching = doctor.observeConversations(10, shown::add)) {
                assertNotNull(listening);
                assertNotNull(watching);
                doctor.registerPush("doctor-token", "fcm:example.app").get(20, TimeUnit.SECONDS);
                String sent = nurse.send(new Person("DR-1"), "from Java", Priority.URGENT).get(20, TimeUnit.SECONDS);
                nurse.syncOnce().get(20, TimeUnit.SECONDS);
                assertEquals(new WakeUp("doctor-token", "fcm:example.app", "alert"), ward.nextWakeUp());
                doctor.unregisterPush().get(20, TimeUnit.SECONDS);
                doctor.syncOnce().get(20, TimeUnit.SECONDS);

                Event event = heard.poll(20, TimeUnit.SECONDS);
                while (!(event instanceof MessageArrived)) {
                    event = heard.poll(20, TimeUnit.SECONDS);
                }
                String reference = ((MessageArrived) event).getReference();
                List<Message> found = doctor.messages(List.of(reference)).get(20, TimeUnit.SECONDS);
                assertEquals("from Java", found.get(0).getText());
                assertEquals(sent, found.get(0).getId());
                doctor.markRead(List.of(reference)).get(20, TimeUnit.SECONDS);
                ConversationListSnapshot last = shown.poll(20, TimeUnit.SECONDS);
                while (last.getConversations().isEmpty()) {
                    last = shown.poll(20, TimeUnit.SECONDS);
                }
                assertEquals(new Person("NS-1"), last.getConversations().get(0).getRecipient());
            }
        }
    }

    @Test
    void javaAnswersAndTakesBack() throws Exception {
        try (JavaWard ward = new JavaWard(folder.toFile());
                FutureClient nurse = enroll(ward, "NS-1");
                FutureClient doctor = enroll(ward, "DR-1")) {
            ward.publish();
            doctor.syncOnce().get(20, TimeUnit.SECONDS);
            nurse.syncOnce().get(20, TimeUnit.SECONDS);
            String sent = nurse.send(
                    new Person("DR-1"), "K 6.6 mmol/L", Priority.URGENT, null, null, Duration.ofMinutes(5))
                    .get(20, TimeUnit.SECONDS);
            nurse.syncOnce().get(20, TimeUnit.SECONDS);
            doctor.syncOnce().get(20, TimeUnit.SECONDS);
            Message message = doctor.openItems(OpenItems.TO_ANSWER).get(20, TimeUnit.SECONDS).get(0);
            doctor.answer(message.getReference(), Verdict.ACCEPTED, "K 6.6, going").get(20, TimeUnit.SECONDS);
            doctor.syncOnce().get(20, TimeUnit.SECONDS);
            nurse.syncOnce().get(20, TimeUnit.SECONDS);
            Answer answer = nurse.answers(sent).get(20, TimeUnit.SECONDS).get(0);
            assertEquals("K 6.6, going", answer.getReadBack());

            nurse.recall(sent, "wrong patient").get(20, TimeUnit.SECONDS);
            nurse.syncOnce().get(20, TimeUnit.SECONDS);
            doctor.syncOnce().get(20, TimeUnit.SECONDS);
            List<Message> left = doctor.messages(List.of(message.getReference())).get(20, TimeUnit.SECONDS);
            assertEquals("wrong patient", left.get(0).getRecalled().getReason());
            assertEquals("", left.get(0).getText());
        }
    }

    @Test
    void javaCorrectsFindsAndReadsTypedFields() throws Exception {
        try (JavaWard ward = new JavaWard(folder.toFile());
                FutureClient nurse = enroll(ward, "NS-1");
                FutureClient doctor = enroll(ward, "DR-1")) {
            ward.publish();
            doctor.syncOnce().get(20, TimeUnit.SECONDS);
            nurse.syncOnce().get(20, TimeUnit.SECONDS);
            CriticalResult result = new CriticalResult("Potassium", "6.5", "mmol/L");
            String sent = nurse.send(new Person("DR-1"), result, Priority.STAT).get(20, TimeUnit.SECONDS);
            nurse.syncOnce().get(20, TimeUnit.SECONDS);
            doctor.syncOnce().get(20, TimeUnit.SECONDS);
            Filter stat = new Filter(List.of(), null, Priority.STAT, true);
            Message message = doctor.find(stat).get(20, TimeUnit.SECONDS).get(0);
            assertEquals(result, message.getStructured());

            nurse.amend(sent, "Potassium 5.6 mmol/L", "typing error").get(20, TimeUnit.SECONDS);
            nurse.syncOnce().get(20, TimeUnit.SECONDS);
            doctor.syncOnce().get(20, TimeUnit.SECONDS);
            List<Version> history = doctor.history(message.getReference()).get(20, TimeUnit.SECONDS);
            assertEquals("Potassium 5.6 mmol/L", history.get(1).getText());
            assertNotNull(doctor.remind().get(20, TimeUnit.SECONDS));
            List<Caution> cautions = nurse.check(new Person("DR-1"), Priority.STAT).get(20, TimeUnit.SECONDS);
            assertEquals(List.of(new Interrupts(Priority.STAT, 1), NoPatient.INSTANCE), cautions);
            LoopTimes times = nurse.loopTimes(LoopGrouping.PERSON).get(20, TimeUnit.SECONDS).get(0);
            assertEquals(1, times.getSentToDelivered().getCount());
        }
    }

    @Test
    void javaSeesErrorsByCause() throws Exception {
        try (JavaWard ward = new JavaWard(folder.toFile());
                FutureClient nurse = enroll(ward, "NS-1")) {
            ward.publish();
            nurse.syncOnce().get(20, TimeUnit.SECONDS);
            ExecutionException failed = assertThrows(
                    ExecutionException.class,
                    () -> nurse.send(new Person("DR-1"), "").get(20, TimeUnit.SECONDS));
            SendException refused = assertInstanceOf(SendException.class, failed.getCause());
            assertEquals("WL-SEND-EMPTY", refused.getCode());
            assertEquals(Recovery.CHANGE_THE_MESSAGE, refused.getRecovery());

            long last = nurse.eventsFrom(0, 100).get(20, TimeUnit.SECONDS).stream()
                    .mapToLong(Event::getCursor).max().orElse(0);
            CompletableFuture<List<Event>> waiting = nurse.nextEvents(last, 10);
            Thread.sleep(50);
            waiting.cancel(true);
            assertThrows(CancellationException.class, waiting::get);

            BlockingQueue<Throwable> ends = new ArrayBlockingQueue<>(1);
            try (AutoCloseable listening = nurse.events(event -> { throw new IllegalStateException("mine"); }, ends::add)) {
                assertNotNull(listening);
                assertInstanceOf(IllegalStateException.class, ends.poll(20, TimeUnit.SECONDS));
            }
        }
    }

    @Test
    void aTransportAndAKeyStoreInJava() throws Exception {
        try (JavaWard ward = new JavaWard(folder.toFile())) {
            AtomicInteger calls = new AtomicInteger();
            FutureTransport line = request -> {
                calls.incrementAndGet();
                return ward.carry(request);
            };
            Config config = ward.config("java", line.asTransport(), new JavaKeys().asKeyStore());
            try (Passphrase words = new Passphrase("correct horse".toCharArray());
                    FutureClient nurse = FutureClient.enroll(config, "NS-1", ward.ticket("NS-1"), words)
                            .get(20, TimeUnit.SECONDS)) {
                assertTrue(calls.get() > 0);
                nurse.lock();
                assertEquals(0, nurse.unlock(words).get(20, TimeUnit.SECONDS));
            }
            assertTrue(Files.exists(new File(folder.toFile(), "java").toPath()));
        }
    }

    private static FutureClient enroll(JavaWard ward, String user) throws Exception {
        Config config = ward.config("java-" + user, ward.transport(), ward.keys("java-" + user));
        try (Passphrase words = new Passphrase("correct horse".toCharArray())) {
            return FutureClient.enroll(config, user, ward.ticket(user), words).get(20, TimeUnit.SECONDS);
        }
    }

    /** Hides nothing: it is for tests. */
    private static final class JavaKeys implements BlockingKeyStore {
        private final Map<KeyPurpose, Byte> keys = new ConcurrentHashMap<>();
        private final AtomicInteger attempts = new AtomicInteger();

        @Override
        public byte[] wrap(KeyPurpose purpose, byte[] secret) {
            byte key = keys.computeIfAbsent(purpose, one -> (byte) (one.ordinal() + 17));
            byte[] mixed = secret.clone();
            for (int at = 0; at < mixed.length; at++) {
                mixed[at] ^= key;
            }
            return mixed;
        }

        @Override
        public byte[] unwrap(KeyPurpose purpose, byte[] wrapped) {
            return wrap(purpose, wrapped);
        }

        @Override
        public void erase(KeyPurpose purpose) {
            keys.remove(purpose);
        }

        @Override
        public int attempts() {
            return attempts.get();
        }

        @Override
        public int countAttempt() {
            return attempts.incrementAndGet();
        }

        @Override
        public void resetAttempts() {
            attempts.set(0);
        }
    }
}
