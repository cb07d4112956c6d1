using System.CommandLine;
using MassDpo.Answers.Bench;
using MassDpo.Policy;
using MassDpo.PolicyKit;

// What docs/experiments/qasc-text needs beside massdpo itself: a start policy from llama2.c's files, and tests on pairs of records.
var stories = new Argument<string>("STORIES") { Description = "Folder with stories260K.bin and tok512.bin." };
var policy = new Argument<string>("POLICY") { Description = "Directory to write." };
var start = new Command("start", "Writes stories260K in Hugging Face layout.") { stories, policy };
start.SetAction(parsed =>
{
    var folder = parsed.GetValue(stories)!;
    using var read = Stories260K.Load(Path.Combine(folder, "stories260K.bin"));
    PolicyDirectory.Save(parsed.GetValue(policy)!, read.Weights.Config, Llama2cTokenizer.Load(Path.Combine(folder, "tok512.bin")), read.Weights);
});

var before = new Argument<FileInfo>("BEFORE") { Description = "What massdpo score printed of the start." };
var after = new Argument<FileInfo[]>("AFTER") { Description = "What it printed of each trained policy, on the same records.", Arity = ArgumentArity.OneOrMore };
var paired = new Command("paired", "Prints a table: are the same records answered better after training than before?") { before, after };
paired.SetAction(parsed =>
{
    var baseline = ScoredRecord.ReadAll(parsed.GetValue(before)!.FullName);
    AnswerTable.Print(baseline, [.. parsed.GetValue(after)!.Select(file => (Path.GetFileNameWithoutExtension(file.Name), ScoredRecord.ReadAll(file.FullName)))], Console.Out);
});
return new RootCommand("A policy that writes stories, trained to answer questions.") { start, paired }.Parse(args).Invoke();
