using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Checkpoints;

public sealed class CheckpointStoreTests
{
    private static readonly string[] Files = ["manifest.json", "model.safetensors", "optimizer.safetensors", "state.json"];

    [Fact]
    public void An_empty_store_has_none()
    {
        using var folder = new TempFolder();
        Assert.Null(Open(folder).LoadNewest(NoDamage));
        Assert.Empty(Open(folder).List());
    }

    [Fact]
    public void The_newest_reads_back_whole_and_to_the_last_bit()
    {
        using var folder = new TempFolder();
        for (var version = 1; version <= 3; version++)
        {
            var name = MadeCheckpoint.Write(Open(folder), version);
            using var loaded = Open(folder).LoadNewest(NoDamage);
            Assert.Equal(name, loaded!.Name.ToString());
            MadeCheckpoint.AssertIs(version, loaded);
            Assert.Equal(Files, Directory.EnumerateFiles(folder["checkpoints", name]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void Newest_is_the_highest_version_then_epoch_then_count_of_settled_positions()
    {
        using var folder = new TempFolder();
        var store = Open(folder, keep: 100);
        var state = MadeCheckpoint.State(3);
        foreach (var (version, epoch) in new[] { (2L, 9L), (100, 1), (9, 30), (100, 2), (9, 4) })
            store.Write(state with { Version = version, Epoch = epoch }, MadeCheckpoint.Tensors(1, "weights"), MadeCheckpoint.Tensors(1, "state"));
        state.Settled.Add(new("more", 0, 0));
        store.Write(state with { Version = 100, Epoch = 2 }, MadeCheckpoint.Tensors(2, "weights"), MadeCheckpoint.Tensors(1, "state"));
        Assert.Equal(["v000000000100-e000002-s000000000010", "v000000000100-e000002-s000000000009", "v000000000100-e000001-s000000000009", "v000000000009-e000030-s000000000009",
            "v000000000009-e000004-s000000000009", "v000000000002-e000009-s000000000009"], store.List().Select(name => name.ToString()));
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    [InlineData(4, 4)]
    public void As_many_as_asked_for_are_kept_but_never_fewer_than_two(int keep, int kept)
    {
        using var folder = new TempFolder();
        for (var version = 1; version <= 7; version++)
        {
            MadeCheckpoint.Write(Open(folder, keep), version);
            Assert.Equal(Enumerable.Range(0, Math.Min(version, kept)).Select(back => $"v{version - back:D12}"), Open(folder).List().Select(name => name.ToString()[..13]));
        }
        Assert.Equal(kept, Directory.EnumerateFileSystemEntries(folder["checkpoints"]).Count());
    }

    [Fact]
    public void Those_that_logs_begin_at_stay_however_old()
    {
        using var folder = new TempFolder();
        for (var version = 1; version <= 7; version++)
            Open(folder).Write(MadeCheckpoint.State(version), MadeCheckpoint.Tensors(1, "weights"), MadeCheckpoint.Tensors(1, "state"), bases: [2, 4]);
        Assert.Equal([7, 6, 4, 2], Open(folder).List().Select(name => name.Version));
        Open(folder).Write(MadeCheckpoint.State(8), MadeCheckpoint.Tensors(1, "weights"), MadeCheckpoint.Tensors(1, "state"), bases: [4]);
        Assert.Equal([8, 7, 4], Open(folder).List().Select(name => name.Version));
    }

    [Fact]
    public void A_reference_that_is_not_the_one_found_goes_with_it_and_is_checked_like_the_rest()
    {
        using var folder = new TempFolder();
        MadeCheckpoint.Write(Open(folder), 1);
        var name = Open(folder).Write(MadeCheckpoint.State(2), MadeCheckpoint.Tensors(2, "weights"), MadeCheckpoint.Tensors(2, "state"), MadeCheckpoint.Tensors(5, "reference"));
        using (var loaded = Open(folder).LoadNewest(NoDamage))
            Assert.Equal(MadeCheckpoint.Tensors(5, "reference").Select(tensor => (tensor.Key, Convert.ToHexString(tensor.Value.bytes))),
                loaded!.Reference!.OrderBy(tensor => tensor.Key).Select(tensor => (tensor.Key, Convert.ToHexString(tensor.Value.bytes))));
        var path = folder["checkpoints", name.ToString(), "reference.safetensors"];
        var bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
        AssertPassedOver(folder, name.ToString(), "reference.safetensors");
    }

    [Fact]
    public void Only_a_checkpoints_name_is_taken_for_one()
    {
        var name = new CheckpointName(12, 3, 456);
        Assert.Equal(name, CheckpointName.TryParse(name.ToString()));
        Assert.All([name + ".writing", "damaged-" + name, "v12-e3-s456", "v000000000012", "", "v00000000001x-e000003-s000000000456"], other => Assert.Null(CheckpointName.TryParse(other)));
    }

    [Fact]
    public void The_same_commit_twice_is_one_checkpoint()
    {
        using var folder = new TempFolder();
        Assert.Equal(MadeCheckpoint.Write(Open(folder), 1), MadeCheckpoint.Write(Open(folder), 1));
        Assert.Single(Open(folder).List());
    }

    [Fact]
    public void A_checkpoint_with_any_file_cut_or_gone_is_set_aside_with_the_reason_and_the_one_before_is_loaded()
    {
        foreach (var file in Files)
        {
            foreach (var share in new[] { -1, 0, 1, 50, 99 })
            {
                using var folder = new TempFolder();
                MadeCheckpoint.Write(Open(folder), 1);
                var newest = MadeCheckpoint.Write(Open(folder), 2);
                var path = folder["checkpoints", newest, file];
                var whole = File.ReadAllBytes(path);
                if (share < 0)
                    File.Delete(path);
                else
                    File.WriteAllBytes(path, whole[..(whole.Length * share / 100)]);
                AssertPassedOver(folder, newest, file);
            }
        }
    }

    [Fact]
    public void A_flipped_bit_anywhere_is_found_and_where_it_changes_nothing_that_counts_the_checkpoint_is_loaded_whole()
    {
        using var folder = new TempFolder();
        MadeCheckpoint.Write(Open(folder), 1);
        var newest = MadeCheckpoint.Write(Open(folder), 2);
        var random = new StableRandom(1, 0xF11B);
        var passedOver = 0;
        foreach (var file in Files)
        {
            var path = folder["checkpoints", newest, file];
            var whole = File.ReadAllBytes(path);
            for (var flip = 0; flip < 150; flip++)
            {
                var broken = whole.ToArray();
                broken[random.Below(whole.Length)] ^= (byte)(1 << random.Below(8));
                File.WriteAllBytes(path, broken);
                var damaged = new List<(string Name, string Reason)>();
                using var loaded = Open(folder).LoadNewest((name, reason) => damaged.Add((name, reason)));
                MadeCheckpoint.AssertIs(damaged.Count == 0 ? 2 : 1, loaded);
                // A manifest has white space, and is not covered by a hash itself; the rest is.
                Assert.True(damaged.Count == 1 || file == "manifest.json");
                if (damaged.Count == 1)
                {
                    passedOver++;
                    Assert.Equal(newest, damaged[0].Name);
                    Assert.Contains(file, damaged[0].Reason + (file == "manifest.json" ? file : ""));
                    Directory.Move(folder["checkpoints", "damaged-" + newest], folder["checkpoints", newest]);
                }
                File.WriteAllBytes(path, whole);
            }
        }
        Assert.InRange(passedOver, 500, 600);
    }

    [Fact]
    public void A_manifest_of_any_other_form_is_damage_and_no_failure()
    {
        foreach (var text in new[] { "", "null", "[]", "7", "{}", "{\"state.json\":null}", "{\"state.json\":[]}", "{\"state.json\":{},\"state.json\":{}}", "\"x\"", "{",
            "{\"model.safetensors\":{\"bytes\":\"1\",\"hash\":1}}", "{\"model.safetensors\":{\"bytes\":1.5}}", "{\"model.safetensors\":{\"bytes\":[]}}", "\0" })
        {
            using var folder = new TempFolder();
            MadeCheckpoint.Write(Open(folder), 1);
            var newest = MadeCheckpoint.Write(Open(folder), 2);
            File.WriteAllText(folder["checkpoints", newest, "manifest.json"], text);
            AssertPassedOver(folder, newest, "");
        }
    }

    [Fact]
    public void Several_damaged_ones_are_all_told_newest_first()
    {
        using var folder = new TempFolder();
        var names = Enumerable.Range(1, 4).Select(version => MadeCheckpoint.Write(Open(folder, keep: 4), version)).ToList();
        foreach (var name in names.Skip(1))
            File.WriteAllText(folder["checkpoints", name, "state.json"], "{}");
        var damaged = new List<string>();
        using (var loaded = Open(folder).LoadNewest((name, _) => damaged.Add(name)))
            MadeCheckpoint.AssertIs(1, loaded);
        Assert.Equal(names.Skip(1).Reverse(), damaged);
        // They no longer count as ones to keep, and are not told again.
        Assert.Equal([names[0]], Open(folder).List().Select(name => name.ToString()));
        MadeCheckpoint.Write(Open(folder), 5);
        Assert.Equal(2, Open(folder).List().Count);
        using (var loaded = Open(folder).LoadNewest(NoDamage))
            MadeCheckpoint.AssertIs(5, loaded);
    }

    [Fact]
    public void One_that_was_put_back_and_is_damaged_again_is_set_aside_again()
    {
        using var folder = new TempFolder();
        MadeCheckpoint.Write(Open(folder), 1);
        var newest = MadeCheckpoint.Write(Open(folder), 2);
        for (var round = 0; round < 2; round++)
        {
            Directory.CreateDirectory(folder["checkpoints", newest]);
            File.WriteAllText(folder["checkpoints", newest, "manifest.json"], "{}");
            using var loaded = Open(folder).LoadNewest((_, _) => { });
            MadeCheckpoint.AssertIs(1, loaded);
        }
    }

    [Fact]
    public void Where_all_are_damaged_the_run_is_not_begun_anew_behind_the_users_back()
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { MadeCheckpoint.Write(Open(folder), 1), MadeCheckpoint.Write(Open(folder), 2) })
            File.Delete(folder["checkpoints", name, "state.json"]);
        for (var start = 0; start < 2; start++)
        {
            var refusal = Assert.Throws<InvalidDataException>(() => Open(folder).LoadNewest((_, _) => { })).Message;
            Assert.Contains(folder["checkpoints"], refusal);
            Assert.Contains("empty output directory", refusal);
        }
    }

    private static CheckpointStore Open(TempFolder folder, int keep = 2) => new(folder["checkpoints"], new FaultyFiles(), keep);

    private static void NoDamage(string name, string reason) => Assert.Fail($"{name}: {reason}");

    private static void AssertPassedOver(TempFolder folder, string newest, string file)
    {
        var damaged = new List<(string Name, string Reason)>();
        using var loaded = Open(folder).LoadNewest((name, reason) => damaged.Add((name, reason)));
        MadeCheckpoint.AssertIs(1, loaded);
        var (told, why) = Assert.Single(damaged);
        Assert.Equal(newest, told);
        Assert.Contains(file, why);
        Assert.True(Directory.Exists(folder["checkpoints", "damaged-" + newest]));
        Assert.DoesNotContain(newest, Open(folder).List().Select(name => name.ToString()));
    }
}
