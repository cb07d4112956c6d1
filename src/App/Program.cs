return await MassDpo.App.Verbs.CommandLine.RunAsync(args);
